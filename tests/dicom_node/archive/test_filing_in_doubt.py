"""From the journal into the archive, on a disk that fails when it is asked whether all is safe."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from conformance.bad_files import identified
from support.server import until

from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs, SystemDisk
from dicom_node.archive.disk import BLOCK
from dicom_node.archive.filing import ASIDE, Filing
from dicom_node.archive.header import read_identity
from dicom_node.archive.journal import LARGEST_META, JournalReader, JournalWriter, meta_of, new_buffer
from dicom_node.archive.part10 import preface
from dicom_node.archive.verification import differences
from telemed.kernel.errors import Unavailable

EXPLICIT = "1.2.840.10008.1.2.1"


class ForgetfulDisk(SystemDisk):
    """Fails to sync once it was told to, and loses what it had not yet written, as Linux does: told of once, then clean."""

    def __init__(self):
        self.fails, self.folder = 0, None

    def sync_all(self, descriptor):
        if not self.fails:
            return super().sync_all(descriptor)
        self.fails -= 1
        for file in self.folder.glob("??/??/*.dcm"):
            file.write_bytes(bytes(file.stat().st_size))
        raise OSError(5, "Input/output error")


class Journal:
    """A receiving process's journal and the main one's, without the processes between them."""

    def __init__(self, archive, clock):
        self._clock = clock
        self.folder = archive.blobs.folder / "journal"
        self.reader = JournalReader(self.folder)
        self.filing = Filing(archive, self.reader, stalled=lambda _stalled: None)
        self._writers = {}
        self.freed = []

    def write(self, name, uid):
        """Make an object durable in the journal of the receiver *name*."""
        if name not in self._writers:
            self._writers[name] = JournalWriter(
                self.folder, name, announce=self.filing.announce, announce_closed=self._closed, segment_bytes=1 << 20, segments=2
            )
        data = memoryview(identified(uid))
        content = preface(*read_identity(data, EXPLICIT), EXPLICIT) + bytes(data)
        buffer = new_buffer(BLOCK + len(content) + LARGEST_META + BLOCK)
        buffer[BLOCK : BLOCK + len(content)] = content
        told = {"data_at": len(content) - len(data), "syntax": EXPLICIT, "institution": "lianhua", "source": "CT1"}
        meta = meta_of(uid, at=self._clock.now(), **told)
        self._writers[name].write(buffer, len(content), meta)

    def _closed(self, segment):
        self.filing.announce_closed(segment, lambda: self.freed.append(segment))

    def close(self, name):
        self._writers.pop(name).close()


@pytest.fixture
def disk():
    return ForgetfulDisk()


@pytest.fixture
def blobs(tmp_path, disk):
    disk.folder = tmp_path / "blobs"
    return Blobs(disk.folder, disk)


@pytest.fixture
def archive(database, chronicle, blobs):
    return Archive(database, chronicle, blobs)


@pytest.fixture
def journal(archive, clock):
    journal = Journal(archive, clock)
    yield journal
    journal.filing.stop(5)
    journal.reader.close()


def fenced(filing):
    passed = threading.Event()
    filing.fence(passed.set)
    assert passed.wait(10)


@pytest.mark.parametrize("failures", [1, 2])
def test_after_a_sync_that_failed_nothing_is_believed_that_was_placed_before(journal, disk, blobs, database, failures):
    journal.filing.start()
    journal.write("receiver-0", "1.2.1")
    journal.write("receiver-1", "1.2.2")  # its segment stays in use: nobody asks for it to be freed
    fenced(journal.filing)
    disk.fails = failures
    journal.close("receiver-0")
    until(lambda: journal.freed == ["receiver-0.0.segment"], 10)
    assert [blobs.is_whole(digest) for digest in blobs.digests()] == [True, True]
    assert list(differences(database, blobs)) == []


def test_on_a_disk_that_fails_still_nothing_is_placed_again(journal, disk, blobs, monkeypatch):
    placed_again = []
    place = blobs.place
    monkeypatch.setattr(blobs, "place", lambda *one, anew: (anew and placed_again.append(one), place(*one, anew=anew)))
    journal.filing.start()
    journal.write("receiver-0", "1.2.1")
    fenced(journal.filing)
    disk.fails = 3
    journal.close("receiver-0")
    until(lambda: journal.freed == ["receiver-0.0.segment"], 10)
    assert len(placed_again) == 1


def test_a_start_after_a_failed_one_does_not_believe_the_files_of_it(journal, disk, blobs, archive, database):
    journal.write("receiver-0", "1.2.1")
    disk.fails = 1
    journal.filing.take_over()
    with pytest.raises(Unavailable):
        journal.filing.replay()
    again = Filing(archive, journal.reader, stalled=lambda _stalled: None)
    again.take_over()
    assert again.replay() == 1
    assert [blobs.is_whole(digest) for digest in blobs.digests()] == [True]
    assert list(differences(database, blobs)) == []


def test_what_is_only_in_the_journal_is_no_difference(journal, blobs, database):
    journal.write("receiver-0", "1.2.1")
    assert list(differences(database, blobs)) == []


def _alter(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(("harm", "named"), [(Path.unlink, "1.2.1 is missing"), (_alter, "(1.2.1) has changed")])
def test_a_file_that_came_to_harm_is_named_though_the_journal_has_it_and_the_next_start_mends_it(
    journal, archive, database, harm, named
):
    journal.filing.start()
    journal.write("receiver-0", "1.2.1")
    fenced(journal.filing)
    assert list(differences(database, archive.blobs)) == []
    [digest] = archive.blobs.digests()
    harm(archive.blobs.path(digest))
    [sentence] = differences(database, archive.blobs)
    assert named in sentence
    assert sentence.endswith("start the server anew")
    assert journal.filing.stop()
    again = Filing(archive, journal.reader, stalled=lambda _stalled: None)
    again.take_over()
    assert again.replay() == 1
    assert list(differences(database, archive.blobs)) == []


def test_a_file_that_is_nowhere_is_a_difference(journal, blobs, database):
    journal.write("receiver-0", "1.2.1")
    journal.filing.take_over()
    assert journal.filing.replay() == 1
    [digest] = blobs.digests()
    blobs.path(digest).unlink()
    [missing] = differences(database, blobs)
    assert missing.endswith("1.2.1 is missing")


def test_an_acknowledged_object_that_the_index_refuses_is_set_aside_and_named(journal, blobs, database, monkeypatch):
    journal.write("receiver-0", "1.2.1")
    monkeypatch.setattr(Archive, "enter", lambda _archive, _objects: json.loads("no"))
    journal.filing.take_over()
    assert journal.filing.replay() == 1
    [aside] = (journal.folder / ASIDE).iterdir()
    found = list(differences(database, blobs))
    assert any(aside.name in sentence and "acknowledged" in sentence for sentence in found)
