import hashlib
import json
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.limits import full_disk

from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.arrivals import Tally
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.disk import BLOCK
from dicom_node.archive.filing import Filing, set_aside
from dicom_node.archive.header import read_header
from dicom_node.archive.journal import LARGEST_META, JournalReader, JournalWriter, new_buffer
from dicom_node.archive.part10 import preface
from dicom_node.archive.tables import instance_table
from dicom_node.archive.verification import differences
from dicom_node.upper_layer.messages import C_STORE_RQ, Command
from dicom_node.upper_layer.parcel import Parcel
from telemed.kernel.clock import SystemClock
from telemed.kernel.errors import Unavailable

EXPLICIT, CT_IMAGE = "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2"


def element(group, number, vr, value):
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return group.to_bytes(2, "little") + number.to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value


def an_object(uid, pixels=b"\1\2"):
    return (
        element(8, 0x16, b"UI", CT_IMAGE.encode())
        + element(8, 0x18, b"UI", uid.encode())
        + element(0x20, 0x0D, b"UI", b"1.2.3")
        + element(0x20, 0x0E, b"UI", b"1.2.3.4")
        + b"\xe0\x7f\x10\x00OW\0\0"
        + len(pixels).to_bytes(4, "little")
        + pixels
    )


class Journal:
    """Both sides of an ingest journal, and the filing of what is put into it, in one process."""

    def __init__(self, archive, folder):
        self.archive = archive
        self.reader = JournalReader(folder)
        self.filing = Filing(archive, self.reader, stalled=lambda _stalled: None)
        self.announce = self.filing.announce
        self.tally = Tally()
        archive.arrivals.follow(self.tally)
        self.writer = JournalWriter(
            folder, "r", announce=self.durable, announce_closed=lambda _segment: None, segment_bytes=8 << 20
        )
        self.parcel = Parcel(folder, self.writer, SystemClock())

    def durable(self, place, meta):
        self.tally.add()
        self.announce(place, meta)

    def put(self, uid, pixels=b"\1\2", *, announced_uid=None, before=b""):
        data, said = memoryview(before + an_object(uid, pixels)), (announced_uid or uid).encode()
        self.parcel.begin(Command(C_STORE_RQ, b"\1\0", CT_IMAGE.encode(), said), EXPLICIT)
        while data:
            room = self.parcel.room(len(data))
            room[:] = data[: len(room)]
            data = data[len(room) :]
            self.parcel.advance(len(room))
        self.parcel.keep(EXPLICIT, institution="lianhua", source="CT1")

    def close(self):
        with suppress(BufferError):
            self.parcel.close()
        self.writer.close()
        self.filing.stop()
        self.reader.close()


@pytest.fixture
def journal(database, chronicle, tmp_path):
    journal = Journal(Archive(database, chronicle, Blobs(tmp_path / "blobs")), tmp_path / "blobs" / "journal")
    yield journal
    journal.close()


def kept_of(archive, uid):
    return archive.read("lianhua", uid)


@pytest.mark.parametrize("size", [2, BLOCK, 3 * BLOCK + 2, 300_000, 5_000_000, 9 << 20])
@pytest.mark.parametrize("announced", ["1.2.3.4.5", "1.2.3.4.5.678"])
def test_an_object_of_any_size_is_filed_byte_for_byte(journal, size, announced):
    pixels = hashlib.shake_128(b"pixels").digest(size)
    journal.put("1.2.3.4.5", pixels, announced_uid=announced)
    journal.filing.start()
    journal.archive.arrivals.wait(20)
    file = journal.archive.file("lianhua", "1.2.3.4.5")
    assert file.read_bytes() == preface(CT_IMAGE, "1.2.3.4.5", EXPLICIT) + an_object("1.2.3.4.5", pixels)
    assert file.stem == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [path.suffix for path in journal.reader.folder.iterdir()] == [".segment"]


@pytest.mark.parametrize("size", [4 << 20, (4 << 20) + 2, 6 << 20])
def test_an_object_that_just_fills_its_memory_is_kept_whole(journal, size):
    whole = preface(CT_IMAGE, "1.2.3.4.5", EXPLICIT) + an_object("1.2.3.4.5", b"")
    pixels = hashlib.shake_128(b"pixels").digest(size - len(whole))
    journal.put("1.2.3.4.5", pixels)
    journal.filing.start()
    journal.archive.arrivals.wait(20)
    assert kept_of(journal.archive, "1.2.3.4.5").endswith(pixels)
    assert journal.archive.file("lianhua", "1.2.3.4.5").stat().st_size == size


def test_a_long_object_in_the_journal_of_a_former_version_is_filed(journal):
    def announce(place, meta):
        told = json.loads(meta)
        told["own"] = {"name": told["own"]["name"], "size": told["own"]["size"], "check": 1}
        journal.filing.announce(place, json.dumps(told).encode())

    journal.announce = announce
    journal.put("1.2.3.4.5", bytes(6 << 20))
    journal.filing.start()
    journal.archive.arrivals.wait(20)
    file = journal.archive.file("lianhua", "1.2.3.4.5")
    assert file.stem == hashlib.sha256(file.read_bytes()).hexdigest()


def test_an_object_in_the_journal_of_a_former_version_is_filed(journal):
    def announce(place, meta):
        told = json.loads(meta)
        header = read_header(memoryview(an_object("1.2.3.4.5")), EXPLICIT).as_json()
        former = {name: told[name] for name in ("institution", "syntax", "source", "at")} | {"header": header}
        journal.filing.announce(place, json.dumps(former).encode())

    journal.announce = announce
    journal.put("1.2.3.4.5")
    journal.filing.start()
    journal.archive.arrivals.wait(20)
    assert kept_of(journal.archive, "1.2.3.4.5").endswith(an_object("1.2.3.4.5"))


@pytest.mark.parametrize("announced", ["1.2.3.4.5", "1.2.3.4.5.678"])
def test_a_data_set_that_begins_as_a_preface_does_is_filed_as_it_is(journal, announced):
    before = element(2, 0x10, b"UI", EXPLICIT.encode())
    journal.put("1.2.3.4.5", announced_uid=announced, before=before)
    journal.filing.start()
    journal.archive.arrivals.wait(20)
    assert kept_of(journal.archive, "1.2.3.4.5") == preface(CT_IMAGE, "1.2.3.4.5", EXPLICIT) + before + an_object("1.2.3.4.5")


def test_what_is_asked_for_is_found_within_moments_although_more_keeps_coming(journal):
    journal.filing.start()
    journal.put("1.2.3.4.0")
    ended = threading.Event()

    def send():
        for number in range(1, 1000):
            if ended.wait(0.005):
                return
            journal.put(f"1.2.3.4.{number}")

    sending = threading.Thread(target=send)
    sending.start()
    try:
        began = time.monotonic()
        journal.archive.arrivals.wait(20)
        assert kept_of(journal.archive, "1.2.3.4.0")
        assert time.monotonic() - began < 10
    finally:
        ended.set()
        sending.join()


def test_a_burst_is_filed_in_few_transactions(journal, database):
    for number in range(300):
        journal.put(f"1.2.3.4.{number}")
    batches = []
    enter = journal.archive.enter
    journal.archive.enter = lambda objects: batches.append(len(objects)) or enter(objects)
    journal.filing.start()
    journal.archive.arrivals.wait(30)
    assert sum(batches) == 300
    assert len(batches) <= 2
    with database.reading() as db:
        assert db.execute(select(func.count()).select_from(instance_table)).scalar_one() == 300
        assert index.instance(db, "lianhua", "1.2.3.4.299").digest
    assert list(differences(database, journal.archive.blobs)) == []


def test_a_record_that_changed_on_the_disk_is_set_aside_and_keeps_nobody_waiting(journal, caplog):
    journal.put("1.2.3.4.1", bytes(20_000))
    journal.put("1.2.3.4.2", bytes(20_000))
    [segment] = journal.reader.segments()
    with (journal.reader.folder / segment).open("r+b") as file:
        file.seek(2 * BLOCK + 10_000)
        file.write(b"altered")
    journal.filing.start()
    journal.archive.arrivals.wait(20)
    assert kept_of(journal.archive, "1.2.3.4.2")
    [aside] = (journal.reader.folder / "aside").iterdir()
    assert b"altered" in aside.read_bytes()
    assert f"set aside as {aside.name}" in caplog.text


def test_a_torn_record_is_no_record(journal):
    buffer, content = new_buffer(BLOCK + (1 << 20) + LARGEST_META + BLOCK), bytes(range(256)) * 256
    buffer[BLOCK : BLOCK + len(content)] = content
    journal.writer.write(buffer, len(content), b"{}")
    [segment] = journal.reader.segments()
    [(place, record)] = journal.reader.records(segment)
    assert bytes(record.content) == content
    with (journal.reader.folder / segment).open("r+b") as file:
        file.seek(place.offset + 5 * BLOCK)
        file.write(bytes(BLOCK))
    assert list(journal.reader.records(segment)) == []
    buffer.close()


def test_a_segment_that_cannot_be_read_is_kept_aside_with_the_long_objects_it_may_name(journal, caplog):
    journal.put("1.2.3.4.1")
    journal.put("1.2.3.4.2", bytes(6 << 20))
    journal.writer.close()
    [segment] = journal.reader.segments()
    content = bytearray((journal.reader.folder / segment).read_bytes())
    content[3] ^= 0xFF
    (journal.reader.folder / segment).write_bytes(content)
    journal.filing.take_over()
    assert journal.filing.replay() == 0
    [kept] = (journal.reader.folder / "aside").glob("*.segment")
    assert kept.read_bytes() == content
    assert len(list(journal.reader.folder.glob("*.part10"))) == 1
    assert "cannot be read and is kept as aside/" in caplog.text
    assert set_aside(journal.reader) == [f"aside/{kept.name}"]


def test_nobody_waits_for_filing_while_the_database_is_away(journal):
    journal.put("1.2.3.4.1")
    journal.archive.arrivals.stall(stalled=True)
    began = time.monotonic()
    journal.archive.arrivals.wait(20)
    assert time.monotonic() - began < 10
    assert journal.archive.arrivals.pending == 1


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def fill(journal):
    """Let the journal be full, and nothing be filed soon."""
    journal.writer.stall(stalled=True)
    with suppress(Unavailable):
        for number in range(1000):
            journal.put(f"1.2.9.{number}", bytes(3 << 20))


@pytest.mark.parametrize("announced", ["1.2.3.4.5", "1.2.3.4.5.678"])
def test_a_long_object_that_the_journal_had_no_room_for_leaves_no_file(journal, announced):
    fill(journal)
    with pytest.raises(Unavailable):
        journal.put("1.2.3.4.5", bytes(6 << 20), announced_uid=announced)
    journal.parcel.discard()
    assert list(journal.reader.folder.glob("*.part10")) == []


def test_a_disk_that_takes_nothing_is_asked_again_and_again_and_takes_no_descriptors(journal):
    fill(journal)  # every segment has its file and its size
    again = JournalWriter(
        journal.reader.folder, "r", announce=journal.durable, announce_closed=lambda _segment: None, segment_bytes=8 << 20
    )
    buffer = new_buffer(BLOCK + (1 << 20) + LARGEST_META + BLOCK)
    open_before = descriptors()
    with full_disk():
        for _ in range(50):
            with pytest.raises(Unavailable):
                again.write(buffer, 1 << 20, b"{}")
    assert descriptors() <= open_before + 8  # one for each segment
    again.write(buffer, 1 << 20, b"{}")
    buffer.close()
