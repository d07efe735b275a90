"""Queries and retrieval: ours beside Orthanc at 1,000 studies, then ours at 100,000 beside ours at 1,000, on both databases."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks import catalogue
from benchmarks.catalogue import Entry
from benchmarks.peers import DICOMWEB_PLUGIN, PROGRAMS, Corpus, Peer, running
from conformance.raw_scu import IMPLICIT, RawAssociation
from pydicom.datadict import tag_for_keyword

from dicom_node.services.query_retrieve import STUDY_ROOT_FIND
from telemed.kernel.database import Database
from telemed.seeding import clinic_id

pytestmark = pytest.mark.benchmark

SMALL, LARGE, SLICES = 1_000, 100_000, 60
#: Of a thumbnail whose size nobody names.
USUAL_SIDE = 160
ROUNDS = 5
#: Only the rows whose names this matches are measured.
ROWS = re.compile(os.environ.get("TELEMED_BENCH_ROWS", ""))
JSON = {"Accept": "application/dicom+json"}
DICOM = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
OCTETS = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
#: A repeated C-FIND asks for all of these.
RETURNED = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
)


class Client:
    """One connection to a server's DICOMweb, kept open, and findscu for its C-FIND.

    It reads of an answer what it must: http.client takes longer over its header than a server over a small answer.
    """

    def __init__(self, peer: Peer, token: str = "") -> None:
        self.peer = peer
        self._connection: socket.socket | None = None
        self._head = f"Host: 127.0.0.1:{peer.http_port}\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")
        self._unread = b""

    def close(self) -> None:
        """Begin a new connection at the next request: a server may have closed one that was idle."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._unread = None, b""

    def get(self, path: str, headers: dict[str, str]) -> bytes | bytearray:
        head, length = self._asked(path, headers)
        body: bytes | bytearray
        if length is not None:
            body = self._exactly(length)
        else:
            body = self._chunks() if b"\r\ntransfer-encoding: chunked" in head else self._rest()
        assert head.startswith((b"http/1.1 200", b"http/1.0 200")), (self.peer.name, path, head[:40], body[:200])
        return body

    def count(self, path: str, headers: dict[str, str]) -> None:
        """Ask as `get` does, but have the kernel throw the answer away: what is left of the time is the server's."""
        head, length = self._asked(path, headers)
        assert head.startswith((b"http/1.1 200", b"http/1.0 200")), (self.peer.name, path, head[:40])
        assert self._connection is not None
        left = None if length is None else length - len(self._unread)
        self._unread, room = b"", bytearray(1 << 20)
        while left is None or left > 0:
            some = self._connection.recv_into(room, min(left or len(room), len(room)), socket.MSG_TRUNC)
            if not some:
                assert left is None, f"{self.peer.name} ended its answer early"
                self.close()
                return
            left = None if left is None else left - some

    def _asked(self, path: str, headers: dict[str, str]) -> tuple[bytes, int | None]:
        """Send a request and return the head of its answer, in small letters, and the length that it says."""
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self.peer.http_port), timeout=60)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = self._head + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._connection.sendall(f"GET /dicom-web{path} HTTP/1.1\r\n{fields}\r\n".encode())
        head = self._until(b"\r\n\r\n").lower()
        length = re.search(rb"\r\ncontent-length: *(\d+)", head)
        return head, int(length[1]) if length else None

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            parts.append(self._exactly(size))
            self._until(b"\r\n")
        self._until(b"\r\n")
        return b"".join(parts)

    def _rest(self) -> bytes:
        """Read an answer that ends with its connection."""
        assert self._connection is not None
        parts = [self._unread]
        while some := self._connection.recv(1 << 20):
            parts.append(some)
        self.close()
        return b"".join(parts)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._unread += self._some()
        found, _, self._unread = self._unread.partition(mark)
        return found

    def _exactly(self, count: int) -> bytearray:
        received = bytearray(count)
        view, have = memoryview(received), min(count, len(self._unread))
        view[:have], self._unread = self._unread[:have], self._unread[have:]
        while have < count:
            assert self._connection is not None
            some = self._connection.recv_into(view[have:])
            assert some, f"{self.peer.name} ended its answer early"
            have += some
        return received

    def _some(self) -> bytes:
        assert self._connection is not None
        some = self._connection.recv(64 << 10)
        assert some, f"{self.peer.name} ended the connection"
        return some

    def find_barely(self, identifiers: list[bytes], *, anew: bool) -> int:
        """Ask each of *identifiers* by a client that costs next to nothing; return how many answers came."""
        matches, association = 0, None
        for number, identifier in enumerate(identifiers, 1):
            if association is None or anew:
                association = RawAssociation(self.peer.port, sop_class=STUDY_ROOT_FIND, syntax=IMPLICIT, called=self.peer.called)
            matches += association.find(identifier)
            if anew or number == len(identifiers):
                association.release()
                association.socket.close()
        return matches

    def find(self, times: int, *keys: str) -> int:
        """Run one association of *times* C-FINDs and return how many answers came."""
        named = {key.partition("=")[0] for key in keys}
        asked = [*keys, *(key for key in RETURNED if key not in named)]
        command = ["/usr/bin/findscu", "-v", "-S", "--repeat", str(times), "-aec", self.peer.called, "127.0.0.1"]
        command += [str(self.peer.port), "-k", "QueryRetrieveLevel=STUDY", *(word for key in asked for word in ("-k", key))]
        environment = {**os.environ, "TCP_NODELAY": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return len(re.findall(r"Find Response: \d+ \(Pending", done.stdout + done.stderr))


def _identifier(keyword: str, key: str) -> bytes:
    """Return an identifier of study level with one matching key, and the return keys of RETURNED in the order of their tags."""
    asked = {"QueryRetrieveLevel": "STUDY", **dict.fromkeys(RETURNED, ""), keyword: key}
    values = {int(tag_for_keyword(keyword) or 0): value for keyword, value in asked.items()}
    padded = {tag: value.encode() + b" " * (len(value) % 2) for tag, value in sorted(values.items())}
    return b"".join(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in padded.items())


@dataclass(frozen=True)
class Scenario:
    """*ask* does the work *count* times, each time for something else; its result is the same at every server."""

    name: str
    count: int
    ask: Callable[[Client, range], object]


def _each(path: Callable[[int], str], headers: dict[str, str]) -> Callable[[Client, range], object]:
    return lambda client, numbers: [client.get(path(number), headers) for number in numbers]


def _entry(number: int) -> Entry:
    return Entry(number * 37 % SMALL)


def _span(number: int) -> str:
    first = _entry(number).number // catalogue.STUDIES_A_DAY * catalogue.STUDIES_A_DAY
    return f"{Entry(first).day}-{Entry(min(first + 4 * catalogue.STUDIES_A_DAY, SMALL - 1)).day}"


def _finds(key: Callable[[int], str]) -> Callable[[Client, range], object]:
    return lambda client, numbers: client.find(len(numbers), key(numbers[0]))


def _barely(keyword: str, key: Callable[[int], str], *, anew: bool = False) -> Callable[[Client, range], object]:
    return lambda client, numbers: client.find_barely([_identifier(keyword, key(number)) for number in numbers], anew=anew)


def _patient_id(number: int) -> str:
    return _entry(number).patient_id


QUERIES = (
    Scenario("QIDO studies limit=100", 6, _each(lambda n: f"/studies?limit=100&offset={n % 3}", JSON)),
    Scenario("QIDO page at 500", 6, _each(lambda n: f"/studies?limit=100&offset={500 + n % 3}", JSON)),
    Scenario("QIDO by PatientID", 40, _each(lambda n: f"/studies?PatientID={_entry(n).patient_id}", JSON)),
    Scenario("QIDO by accession", 40, _each(lambda n: f"/studies?AccessionNumber={_entry(n).accession_number}", JSON)),
    Scenario("QIDO by StudyUID", 40, _each(lambda n: f"/studies?StudyInstanceUID={_entry(n).study}", JSON)),
    Scenario("QIDO by date range", 10, _each(lambda n: f"/studies?StudyDate={_span(n)}&limit=50", JSON)),
    Scenario("QIDO by rare name*", 10, _each(lambda _: "/studies?PatientName=Ouyang*&limit=50", JSON)),
    Scenario("QIDO by common name*", 10, _each(lambda n: f"/studies?PatientName={catalogue.FAMILIES[n % 16]}*&limit=50", JSON)),
    Scenario("QIDO series of study", 40, _each(lambda n: f"/studies/{_entry(n).study}/series", JSON)),
    Scenario(
        "QIDO instances of series",
        40,
        _each(lambda n: f"/studies/{_entry(n).study}/series/{_entry(n).series}/instances", JSON),
    ),
    Scenario("C-FIND by PatientID", 20, _finds(lambda n: f"PatientID={_entry(n).patient_id}")),
    Scenario("C-FIND by PatientID, bare", 40, _barely("PatientID", _patient_id)),
    Scenario("the same, anew each time", 40, _barely("PatientID", _patient_id, anew=True)),
    Scenario("C-FIND by date range", 5, _finds(lambda n: f"StudyDate={_span(n)}")),
    Scenario("C-FIND by date range, bare", 10, _barely("StudyDate", _span)),
)


def _retrievals(series: str) -> tuple[Scenario, ...]:
    def slice_(number: int) -> str:
        return f"{series}/instances/{series.rpartition('/')[2]}.{1000001 + number % SLICES}"

    return (
        Scenario(f"WADO series of {SLICES} CT", 1, _each(lambda _: series, DICOM)),
        Scenario("the same, thrown away", 1, lambda client, _: client.count(series, DICOM)),
        Scenario("WADO series metadata", 1, _each(lambda _: f"{series}/metadata", JSON)),
        Scenario("frame", SLICES, _each(lambda n: f"{slice_(n)}/frames/1", OCTETS)),
        # Each picture is another one, which nobody has asked for yet; then one of a few that somebody has. Thumbnails of the
        # usual size we have drawn once the study had settled.
        Scenario("rendered", 10, _each(lambda n: f"{slice_(n)}/rendered", {"Accept": "image/jpeg"})),
        Scenario("thumbnail", 10, _thumbnails(slice_)),
        Scenario("thumbnail, another size", 10, _thumbnails(slice_, side=150)),
        Scenario("rendered, again", 10, _each(lambda n: f"{slice_(n % 10)}/rendered", {"Accept": "image/jpeg"})),
        Scenario("thumbnail, again", 10, _thumbnails(lambda n: slice_(n % 10))),
    )


def _thumbnails(slice_: Callable[[int], str], side: int = USUAL_SIDE) -> Callable[[Client, range], object]:
    def ask(client: Client, numbers: range) -> None:
        for number in numbers:  # Orthanc's plugin has no /thumbnail, but the same picture by its viewport
            form = "thumbnail" if client.peer.name == "ours" and side == USUAL_SIDE else f"rendered?viewport={side},{side}"
            client.get(f"{slice_(number)}/{form}", {"Accept": "image/jpeg"})

    return ask


@dataclass
class Figure:
    """Seconds of the client and of the server's CPU, for one request."""

    seconds: float
    cpu_s: float


def measured(client: Client, scenario: Scenario, round_number: int) -> Figure:
    numbers = range(round_number * scenario.count, (round_number + 1) * scenario.count)
    client.close()
    before, begun = client.peer.cpu_s(), time.perf_counter()
    scenario.ask(client, numbers)
    wall = time.perf_counter() - begun
    return Figure(wall / scenario.count, (client.peer.cpu_s() - before) / scenario.count)


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def compare(clients: dict[str, Client], scenarios: tuple[Scenario, ...], ratio: tuple[str, str]) -> None:
    """Print each scenario's figures, the servers in turn in every round, and how much longer ratio[0] takes than ratio[1]."""
    print(f"\n{'':28}" + "".join(f"{name + ' ms':>14}{'CPU s/1000':>12}" for name in clients) + f"   {ratio[0]} / {ratio[1]}")
    for scenario in (one for one in scenarios if ROWS.search(one.name)):
        for client in clients.values():
            measured(client, scenario, ROUNDS)
        rounds = [{name: measured(client, scenario, n) for name, client in clients.items()} for n in range(ROUNDS)]
        line = f"{scenario.name:28}"
        for name in clients:
            line += f"{middle([one[name].seconds for one in rounds]) * 1000:14.2f}"
            line += f"{sum(one[name].cpu_s for one in rounds) / ROUNDS * 1000:12.2f}"
        print(f"{line}   {middle([one[ratio[0]].seconds / one[ratio[1]].seconds for one in rounds]):.2f}", flush=True)


def token_of(peer: Peer, folder: Path, settings: dict[str, str], username: str = "clinic") -> str:
    command = [sys.executable, "-m", "telemed.cli", "token", "create", username, "--data", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **settings}).stdout.strip()


def storing(peer: Peer, folder: Path) -> None:
    command = ["/usr/bin/storescu", "-ll", "error", "-R", "+sd", "-aec", peer.called, "127.0.0.1", str(peer.port), str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "TCP_NODELAY": "1"})
    peer.until_quiet()


def test_queries_beside_orthanc(tmp_path):
    if not (PROGRAMS["orthanc"].exists() and DICOMWEB_PLUGIN.exists()):
        print("\nnot measured beside Orthanc, for orthanc and orthanc-dicomweb are not installed")
    small = catalogue.files(tmp_path / "catalogue", range(SMALL))
    slices = Corpus(tmp_path / "corpus").batch("ct", SLICES)
    study = "1.2.826.0.1.3680043.8.498.77.1001"
    with ExitStack() as stack:
        clients: dict[str, Client] = {}
        for name in ("orthanc", "ours") if DICOMWEB_PLUGIN.exists() else ("ours",):
            peer = stack.enter_context(running(name, tmp_path / name))
            storing(peer, small)
            storing(peer, slices)
            clients[name] = Client(peer, token_of(peer, tmp_path / name, {}) if name == "ours" else "")
        for client in clients.values():
            stack.callback(client.close)
        compare(clients, QUERIES + _retrievals(f"/studies/{study}/series/{study}.1"), (next(iter(clients)), "ours"))


@pytest.mark.parametrize("engine", ["SQLite", "PostgreSQL"])
def test_a_hundred_thousand_studies_beside_a_thousand(tmp_path, engine, request):
    with ExitStack() as stack:
        clients: dict[str, Client] = {}
        for name, count in ((f"{SMALL:,}", SMALL), (f"{LARGE:,}", LARGE)):
            folder, settings = tmp_path / name, {}
            if engine == "PostgreSQL":
                cluster = request.getfixturevalue("postgres")
                settings = {"TELEMED_DATABASE": cluster.url(cluster.new_database())}
            peer = stack.enter_context(running("ours", folder, settings=settings))
            database = Database(settings.get("TELEMED_DATABASE", f"sqlite:///{folder / 'telemed.sqlite'}"))
            begun = time.perf_counter()
            with database.transaction() as db:
                catalogue.enter(db, str(clinic_id(db)), range(count))
            with database.transaction() as db:  # as PostgreSQL does within a minute by itself, and ours on SQLite each hour
                db.exec_driver_sql("ANALYZE")
            print(f"\n{engine}: {count:,} studies entered in {time.perf_counter() - begun:.0f} s")
            database.close()
            clients[name] = Client(peer, token_of(peer, folder, settings))
        for client in clients.values():
            stack.callback(client.close)
        compare(clients, QUERIES, (f"{LARGE:,}", f"{SMALL:,}"))
