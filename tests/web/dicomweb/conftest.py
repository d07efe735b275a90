"""A DICOMweb service over a real archive, and a client that speaks as one of its people."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path
from typing import Any

import aiohttp
import pydicom
import pytest
from aiohttp import web
from support.builders import a_clinic, a_hospital, a_nurse, a_person

from consult.practitioners.model import Role, Viewer
from dicom_node.archive.archive import Archive, Stored
from dicom_node.archive.blobs import Blobs
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.audit import Chronicle, Witness
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from web import keys
from web.application import runner_of
from web.deadlines import limit_taking
from web.dicomweb.routes import ROUTES, prepare
from web.problems import note_begun, problems
from web.security import REQUEST_ID, SIGNED_IN, SignedIn

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@dataclass(frozen=True)
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def parts(self) -> list[tuple[dict[str, str], bytes]]:
        """Read multipart content with the standard library's parser, not with ours."""
        head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        whole = BytesParser(policy=compat32).parsebytes(head + self.body)
        return [(dict(part.items()), part.get_payload(decode=True)) for part in whole.get_payload()]


class Service:
    """The routes on a free port. People: nurse and colleague of the clinic, stranger of another, regulator of a hospital."""

    def __init__(self, database: Database, chronicle: Chronicle, confinement: Confinement, folder: Path) -> None:
        self.database, self.chronicle = database, chronicle
        self.archive = Archive(database, chronicle, Blobs(folder / "blobs"))
        self.clinic = a_clinic(database, chronicle)
        self.people: dict[str, Viewer] = {
            "nurse": a_nurse(database, chronicle, self.clinic),
            "stranger": a_nurse(database, chronicle, a_clinic(database, chronicle, name="白云乡卫生院")),
            "regulator": a_person(database, chronicle, a_hospital(database, chronicle), Role.REGULATOR),
        }
        self.app = web.Application(middlewares=[self._identified, problems])
        self.app.on_response_prepare.extend((note_begun, limit_taking))
        self.app[keys.DATABASE], self.app[keys.CHRONICLE], self.app[keys.ARCHIVE] = database, chronicle, self.archive
        self.app[keys.CONFINEMENT], self.app[keys.IMAGING] = (
            confinement,
            Imaging(confinement, shelf=Shelf(folder / "cache", 1 << 30)),
        )
        self.app[keys.SITE] = keys.Site()
        self.witness = self.app[keys.WITNESS] = Witness(database, chronicle.trail)
        self.witness.start()
        self.threads = ThreadPoolExecutor(4)
        self.app[keys.THREADS] = self.app[keys.SLOW_THREADS] = self.threads
        prepare(self.app)
        self.app.add_routes(ROUTES)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.run(self._open())

    @web.middleware
    async def _identified(self, request: web.Request, handler: Any) -> web.StreamResponse:
        viewer = self.people[request.headers["X-Test-Person"]]
        request[REQUEST_ID] = "test"
        request[SIGNED_IN] = SignedIn(viewer, "account", viewer.name, "session", None, by_cookie=False)
        return await handler(request)

    async def _open(self) -> None:
        self.runner = runner_of(self.app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/dicom-web"
        self.client = aiohttp.ClientSession()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self) -> None:
        self.run(self.client.close())
        self.run(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        self.threads.shutdown()
        self.witness.stop()

    def keep(self, *names: str) -> list[Stored]:
        return [self.keep_bytes((FILES / name).read_bytes()) for name in names]

    def keep_bytes(self, data: bytes) -> Stored:
        return self.archive.store(data, institution=self.clinic, transfer_syntax_uid=None, source="test")

    def ask(self, method: str, path: str, accept: str = "*/*", person: str = "nurse", **options: Any) -> Answer:
        headers = {"X-Test-Person": person, "Accept": accept} | options.pop("headers", {})

        async def asked() -> Answer:
            async with self.client.request(method, self.url + path, headers=headers, **options) as response:
                return Answer(response.status, response.headers, await response.read())

        return self.run(asked())

    def get(self, path: str, accept: str = "*/*", **options: Any) -> Answer:
        return self.ask("GET", path, accept, **options)


def path_of(one: Stored) -> str:
    return f"/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"


#: For the tests that ask the database in words of their own; the others are about HTTP and use the quicker one.
on_both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), file := tmp_path / "telemed.sqlite")
        yield f"sqlite:///{file}"
    else:
        cluster, name = request.getfixturevalue("postgres"), request.getfixturevalue("one_postgres")
        yield cluster.url(name)
        cluster.clear(name)


@pytest.fixture(scope="session")
def confinement() -> Iterator[Confinement]:
    confinement = Confinement(processes=2)
    yield confinement
    confinement.close()


@pytest.fixture
def service(database: Database, chronicle: Chronicle, confinement: Confinement, tmp_path: Path) -> Iterator[Service]:
    service = Service(database, chronicle, confinement, tmp_path)
    yield service
    service.close()
