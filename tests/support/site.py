"""The whole web application on a free port, and browsers that talk to it from the test's own thread."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from argon2 import profiles
from support.builders import a_clinic, a_hospital, a_nurse, a_person, a_specialist, an_agreement

from consult.practitioners.model import Role, Viewer
from consult.reports.document.authority import Authority
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.offsets import FrameOffsets
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from web.accounts.actions import add_account
from web.accounts.passwords import Passwords
from web.application import make_application, runner_of

ROOT = Path(__file__).parents[2]

#: Only for tests: hashing so cheap that it protects nothing.
CHEAPEST = profiles.CHEAPEST
PASSWORD = "a long enough password"


@dataclass
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Population:
    """A clinic, a hospital it may ask, a clinic elsewhere, and somebody of every role with an account of that name."""

    clinic: str
    hospital: str
    people: dict[str, Viewer]


def populate(database: Database, chronicle: Chronicle) -> Population:
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    an_agreement(database, chronicle, clinic, hospital)
    elsewhere = a_clinic(database, chronicle, name="白云乡卫生院")
    people = {
        "clinic": a_nurse(database, chronicle, clinic),
        "radiologist": a_specialist(database, chronicle, hospital),
        "cardiologist": a_specialist(database, chronicle, hospital, Role.CARDIOLOGIST, name="孙强"),
        "coordinator": a_person(database, chronicle, hospital, Role.COORDINATOR, name="周芳"),
        "regulator": a_person(database, chronicle, hospital, Role.REGULATOR, name="吴静"),
        "admin": a_person(database, chronicle, hospital, Role.ADMIN, name="郑伟"),
        "stranger": a_nurse(database, chronicle, elsewhere, name="冯云"),
        "radiologist2": a_specialist(database, chronicle, hospital, name="陈晨"),
    }
    hashed = Passwords(CHEAPEST).hashed(PASSWORD)
    with database.transaction() as db:
        for username, viewer in people.items():
            id_ = viewer.practitioner_id
            add_account(db, chronicle, username=username, password_hash=hashed, practitioner_id=id_, by="test")
    return Population(clinic, hospital, people)


@dataclass
class Site:
    """A running application over a database of its own."""

    database: Database
    chronicle: Chronicle
    folder: Path
    population: Population
    confinement: Confinement
    url: str = ""

    @property
    def clinic(self) -> str:
        return self.population.clinic

    @property
    def hospital(self) -> str:
        return self.population.hospital

    @property
    def people(self) -> dict[str, Viewer]:
        return self.population.people

    def start(self) -> None:
        self.archive = Archive(self.database, self.chronicle, Blobs(self.folder / "blobs"))
        (self.folder / "uploads").mkdir()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.run(self._open())

    def stop(self) -> None:
        self.run(self.client.close())
        self.run(self.runner.cleanup())
        self.run(asyncio.sleep(0.02))  # transports close in the loop's next rounds
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    async def _open(self) -> None:
        app = make_application(
            authority=Authority(self.folder / "authority"),
            database=self.database,
            chronicle=self.chronicle,
            archive=self.archive,
            confinement=self.confinement,
            passwords=Passwords(CHEAPEST),
            static_folder=self.folder / "static",
            fonts_folder=ROOT / "web" / "static" / "fonts",
            uploads_folder=self.folder / "uploads",
            imaging=Imaging(self.confinement, shelf=Shelf(self.folder / "cache", 1 << 30), offsets=FrameOffsets(self.database)),
            dicom_address="TELEMED@127.0.0.1:11112",
        )
        self.app = app
        self.runner = runner_of(app)
        await self.runner.setup()
        listening = web.TCPSite(self.runner, "127.0.0.1", 0)
        await listening.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        self.client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    def browser(self, username: str | None = None) -> Browser:
        """A browser, signed in as *username* when one is given."""
        browser = Browser(self)
        if username is not None:
            answer = browser.sign_in(username)
            assert answer.status == 200, answer.body
        return browser


@dataclass
class Browser:
    """One cookie and one CSRF token, sent with every request as the application does."""

    site: Site
    cookie: str = ""
    csrf: str = ""

    def sign_in(self, username: str, password: str = PASSWORD) -> Answer:
        answer = self.post("/api/v1/session", json={"username": username, "password": password})
        if answer.status == 200:
            self.csrf = answer.json()["csrf_token"]
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}

    def request(self, method: str, path: str, **options: Any) -> Answer:
        headers = self.headers() | ({"X-CSRF-Token": self.csrf} if self.csrf else {}) | options.pop("headers", {})

        async def ask() -> Answer:
            async with self.site.client.request(method, self.site.url + path, headers=headers, **options) as response:
                return Answer(response.status, response.headers, await response.read())

        return self.site.run(ask())

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        return self.request("POST", path, **options)

    def live(self, after: int | None = None, **options: Any) -> Live:
        headers = self.headers() | {"Origin": self.site.url} | options.pop("headers", {})
        connect = self.site.client.ws_connect(self.site.url + "/api/v1/live", headers=headers, **options)
        live = Live(self.site, self.site.run(connect))
        live.say(**({} if after is None else {"after": after}))
        return live


@dataclass
class Live:
    """An open live socket."""

    site: Site
    socket: aiohttp.ClientWebSocketResponse

    def say(self, **content: Any) -> None:
        self.site.run(self.socket.send_json(content))

    def hear(self, seconds: float = 10) -> dict[str, Any]:
        return self.site.run(self.socket.receive_json(timeout=seconds))

    def hear_until(self, type_: str) -> dict[str, Any]:
        while (news := self.hear())["type"] != type_:
            pass
        return news

    def close_code(self, seconds: float = 10) -> int | None:
        async def drain() -> int | None:
            async with asyncio.timeout(seconds):
                async for _ in self.socket:
                    pass
            return self.socket.close_code

        return self.site.run(drain())

    def close(self) -> None:
        self.site.run(self.socket.close())
