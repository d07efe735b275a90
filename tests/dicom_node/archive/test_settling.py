import time
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import event, select

from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.settling import Settling
from dicom_node.archive.tables import rhythm_table
from telemed.kernel.audit import audit_table
from telemed.kernel.events import events_of

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CT = (FILES / "CT_small.dcm").read_bytes()
UID = pydicom.dcmread(FILES / "CT_small.dcm").SOPInstanceUID.encode()
STUDY = pydicom.dcmread(FILES / "CT_small.dcm").StudyInstanceUID


@pytest.fixture
def archive(database, chronicle, tmp_path):
    return Archive(database, chronicle, Blobs(tmp_path / "blobs"))


def store(archive, data=CT):
    archive.store(data, institution="lianhua", transfer_syntax_uid=None, source="CT1")


def settled_events(database):
    with database.reading() as db:
        return [told for told in events_of(db, STUDY) if told.type == "StudySettled"]


def test_a_study_settles_once_it_is_quiet_and_again_after_a_late_image(archive, database, chronicle, clock):
    watch = Settling(database, chronicle, quiet_s=3)
    store(archive)
    clock.pass_(seconds=2)
    assert watch.settle() == 0
    clock.pass_(seconds=2)
    assert (watch.settle(), watch.settle()) == (1, 0)
    store(archive, CT.replace(UID, UID[:-1] + b"9"))
    with database.reading() as db:
        assert index.study(db, "lianhua", STUDY).settled_at is None
    clock.pass_(seconds=4)
    assert Settling(database, chronicle, quiet_s=3).settle() == 1
    first, second = settled_events(database)
    assert (first.data["instance_count"], second.data["instance_count"]) == (1, 2)
    assert second.data["modalities"] == ["CT"]
    assert second.data["sop_class_uids"] == ["1.2.840.10008.5.1.4.1.1.2"]
    assert second.data["last_received_at"] == "2026-03-02T01:30:04.000Z"


def numbered(number):
    """Return the CT under another UID, with an instance number of its own."""
    image = pydicom.dcmread(FILES / "CT_small.dcm")
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.9.{number}"
    image.InstanceNumber = number
    del image.ImagePositionPatient
    buffer = pydicom.filebase.DicomBytesIO()
    image.save_as(buffer)
    return buffer.getvalue()


def test_a_gap_holds_a_study_a_little_and_is_named_when_it_settles(archive, database, chronicle, clock):
    watch = Settling(database, chronicle)
    for number in (1, 2, 3, 4, 5, 8):
        store(archive, numbered(number))
    clock.pass_(seconds=4)
    assert watch.settle() == 0
    clock.pass_(seconds=12)
    assert watch.settle() == 1
    [settled] = settled_events(database)
    assert (settled.data["proof"], settled.data["missing"]) == ("quiet", [{"series_number": 1, "numbers": "6-7", "count": 2}])
    for number in (6, 7):
        store(archive, numbered(number))
    clock.pass_(seconds=3)
    assert watch.settle() == 1
    with database.reading() as db:
        study = index.study(db, "lianhua", STUDY)
    assert (study.proof, study.missing) == ("quiet", ())


def test_an_image_after_the_settling_says_once_that_it_opens_the_study_again(archive, database, chronicle, clock):
    store(archive, numbered(1))
    clock.pass_(seconds=4)
    Settling(database, chronicle).settle()
    store(archive, numbered(1))
    store(archive, numbered(2))
    store(archive, numbered(3))
    with database.reading() as db:
        told = [event for event in events_of(db, STUDY) if event.type == "StudyReopened"]
        recorded = db.execute(select(audit_table.c.actor).where(audit_table.c.action == "StudyReopened")).scalars().all()
    assert [(event.data["source"], event.data["instance_count"]) for event in told] == [("CT1", 2)]
    assert recorded == ["CT1"]


def test_a_device_that_pauses_is_waited_for_as_long_as_it_pauses(archive, database, chronicle, clock):
    with database.transaction() as db:
        db.execute(rhythm_table.insert().values(institution="lianhua", source="CT1", pauses=[8.0] * 5))
    watch = Settling(database, chronicle, quiet_s=3)
    store(archive)
    clock.pass_(seconds=4)
    assert watch.settle() == 0
    clock.pass_(seconds=7)
    store(archive, numbered(2))
    clock.pass_(seconds=12)
    assert watch.settle() == 1
    with database.reading() as db:
        assert db.scalar(select(rhythm_table.c.pauses)) == [8.0] * 5 + [11.0]


def test_a_resent_image_does_not_open_a_settled_study_again(archive, database, chronicle, clock):
    watch = Settling(database, chronicle)
    store(archive)
    clock.pass_(seconds=4)
    watch.settle()
    store(archive)
    clock.pass_(seconds=4)
    assert watch.settle() == 0


def test_a_study_that_was_put_off_is_read_again_only_when_it_has_grown(archive, database, chronicle, clock):
    watch = Settling(database, chronicle)
    readings = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_db, _cursor, statement, *_):
        readings.append(statement.count("FROM instance JOIN series"))

    for number in (1, 2):
        store(archive, numbered(number))
        clock.pass_(seconds=2)
        assert watch.settle() == 0
        clock.pass_(milliseconds=500)
        assert watch.settle() == 0
        assert sum(readings) == number
    clock.pass_(seconds=2)
    assert watch.settle() == 1
    assert sum(readings) == 2
    assert [told.data["instance_count"] for told in settled_events(database)] == [2]


def test_a_study_does_not_settle_while_more_of_it_may_wait_to_be_filed(archive, database, chronicle, clock):
    behind = timedelta(seconds=10)
    watch = Settling(database, chronicle, filed_until=lambda now: now - behind)
    store(archive)
    clock.pass_(seconds=12)
    assert watch.settle() == 0
    clock.pass_(seconds=2)
    assert watch.settle() == 1
    assert settled_events(database)[0].at == clock.now()


def test_a_clock_that_was_set_back_does_not_keep_a_study_open(archive, database, chronicle, clock):
    store(archive)
    clock.pass_(seconds=1)
    assert Settling(database, chronicle).settle() == 0
    clock.pass_(hours=-1)
    assert Settling(database, chronicle).settle() == 1


def test_the_watch_settles_by_itself_and_stops(archive, database, chronicle, clock):
    watch = Settling(database, chronicle, look_every_s=0.05)
    store(archive)
    clock.pass_(seconds=4)
    watch.start()
    deadline = time.monotonic() + 5
    while not settled_events(database) and time.monotonic() < deadline:
        time.sleep(0.05)
    watch.stop()
    assert len(settled_events(database)) == 1
