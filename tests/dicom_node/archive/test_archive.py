import errno
import hashlib
import io
import threading
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from sqlalchemy import func, select

from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs, SystemDisk
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.tables import instance_table
from dicom_node.archive.verification import differences
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, NotFound, Unavailable
from telemed.kernel.events import events_of

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
CT = (Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm").read_bytes()
CT_SYNTAX, CT_BEGIN = EXPLICIT, read_preface(memoryview(CT)).length


UID = dcmread(io.BytesIO(CT)).SOPInstanceUID.encode()


def a_ct(**changes):
    """CT_small as a bare explicit little endian data set, with some elements replaced."""
    dataset = dcmread(io.BytesIO(CT))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, dataset)
    return out.getvalue()


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def archive(database, chronicle, blobs):
    return Archive(database, chronicle, blobs)


def store(archive, data, institution="lianhua", syntax=EXPLICIT):
    return archive.store(data, institution=institution, transfer_syntax_uid=syntax, source="CT1")


def files_under(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_given_file_is_kept_byte_for_byte_and_named_by_its_digest(archive):
    stored = store(archive, CT, syntax=None)
    assert stored.new
    assert not stored.conflicting
    assert archive.read("lianhua", stored.sop_instance_uid) == CT
    assert archive.file("lianhua", stored.sop_instance_uid).stem == stored.digest == hashlib.sha256(CT).hexdigest()


def test_a_received_data_set_becomes_a_file_that_others_can_read(archive):
    data = CT[CT_BEGIN:]
    stored = store(archive, data)
    kept = archive.read("lianhua", stored.sop_instance_uid)
    assert kept.endswith(data)
    read = dcmread(io.BytesIO(kept))
    assert read.file_meta.TransferSyntaxUID == EXPLICIT
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID == stored.sop_instance_uid
    assert read.file_meta.FileMetaInformationGroupLength == read_preface(memoryview(kept)).length - 144


def test_the_index_tells_patient_study_series_and_instance(archive, database):
    stored = store(archive, CT, syntax=None)
    with database.reading() as db:
        study = index.study(db, "lianhua", stored.study_instance_uid)
        [series] = index.series_of(db, study.id)
        [instance] = index.instances_of(db, series.id)
        assert index.study_of_instance(db, "lianhua", stored.sop_instance_uid) == study
        assert index.holders_of(db, stored.study_instance_uid) == ["lianhua"]
    assert (study.patient.patient_id, study.patient.display_name) == ("1CT1", "CompressedSamples CT1")
    assert (study.modalities, study.series_count, study.instance_count) == (("CT",), 1, 1)
    assert (study.study_date, study.settled_at, series.modality, series.number) == ("20040119", None, "CT", 1)
    assert study.started_at.isoformat() == "2004-01-19T12:27:30+00:00"
    assert (instance.rows, instance.columns, instance.frames, instance.kind, instance.size) == (128, 128, 1, "image", len(CT))
    assert instance.attributes["ImagePositionPatient"] == [-158.135803, -179.035797, -75.699997]


def test_the_same_bytes_again_change_nothing_and_tell_nothing(archive, database, blobs, tmp_path):
    first = store(archive, CT, syntax=None)
    for again in (store(archive, CT, syntax=None), store(archive, CT[CT_BEGIN:])):
        assert (again.new, again.conflicting, again.digest) == (False, False, first.digest)
    with database.reading() as db:
        assert [event.type for event in events_of(db, first.study_instance_uid)] == ["StudyArrived", "InstanceStored"]
    assert len(files_under(tmp_path / "blobs")) == 1


def test_other_content_under_the_same_uid_is_kept_beside_the_first_and_flagged(archive, database, blobs):
    first = store(archive, a_ct())
    second = store(archive, a_ct(PatientComments="other"))
    again = store(archive, a_ct(PatientComments="other"))
    assert (second.new, second.conflicting) == (True, True)
    assert (again.new, again.conflicting, again.digest) == (False, True, second.digest)
    assert blobs.read(second.digest).endswith(a_ct(PatientComments="other"))
    assert archive.read("lianhua", first.sop_instance_uid).endswith(a_ct())
    with database.reading() as db:
        assert [event.type for event in events_of(db, first.study_instance_uid)].count("InstanceConflict") == 1
        assert index.study(db, "lianhua", first.study_instance_uid).instance_count == 1
    assert list(differences(database, blobs)) == []


def test_two_institutions_may_hold_one_study_and_see_only_their_own(archive, database):
    first = store(archive, a_ct(), institution="lianhua")
    assert store(archive, a_ct(PatientName="LI^WEI"), institution="hehua").new
    with database.reading() as db:
        assert index.study(db, "lianhua", first.study_instance_uid).patient.name == "CompressedSamples^CT1"
        assert index.study(db, "hehua", first.study_instance_uid).patient.name == "LI^WEI"
        with pytest.raises(NotFound):
            index.study(db, "third", first.study_instance_uid)
    with pytest.raises(NotFound):
        archive.file("third", first.sop_instance_uid)


def test_two_people_under_one_patient_id_are_never_merged(archive, database):
    names = ["WANG^FANG", "LI^WEI", "Wang Fang"]
    for number, name in enumerate(names):
        uids = {"StudyInstanceUID": f"1.2.{number}", "SeriesInstanceUID": f"1.3.{number}", "SOPInstanceUID": f"1.4.{number}"}
        store(archive, a_ct(PatientID="0001", PatientName=name, PatientBirthDate="", **uids))
    with database.reading() as db:
        keys = [index.study(db, "lianhua", f"1.2.{number}").patient_key for number in range(3)]
        assert len(index.studies_of_patient(db, "lianhua", "0001")) == 3
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_an_image_of_somebody_else_inside_a_study_is_marked(archive, database):
    store(archive, a_ct())
    stranger = store(archive, a_ct(PatientName="LI^WEI", SOPInstanceUID="1.2.3"))
    with database.reading() as db:
        assert index.instance(db, "lianhua", stranger.sop_instance_uid).attributes["PatientMismatch"] is True


def test_eight_associations_storing_one_study_at_once_count_it_right(archive, database, blobs):
    objects = [a_ct(SOPInstanceUID=f"1.2.3.{number}", SeriesInstanceUID=f"1.2.4.{number % 3}") for number in range(40)]
    failures = []

    def send(share):
        try:
            for data in share:
                store(archive, data)
        except Exception as error:  # noqa: BLE001 - the test names whatever it was
            failures.append(error)

    threads = [threading.Thread(target=send, args=(objects[start::8] + objects[:3],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading() as db:
        [study] = index.studies(db, [("lianhua", dcmread(io.BytesIO(CT)).StudyInstanceUID)]).values()
        assert (study.series_count, study.instance_count) == (3, 40)
        assert sorted(series.instance_count for series in index.series_of(db, study.id)) == [13, 13, 14]
        stored = [event for event in events_of(db, study.study_instance_uid) if event.type == "InstanceStored"]
    assert sorted(event.data["instance_count"] for event in stored) == list(range(1, 41))
    assert list(differences(database, blobs)) == []


@pytest.mark.parametrize(
    ("data", "syntax", "says"),
    [
        (b"", None, "empty"),
        (b"", IMPLICIT, "empty"),
        (b"Dear colleague, please find attached", None, "not a DICOM file"),
        (b"Dear colleague, please find attached", IMPLICIT, "truncated or damaged"),
        (CT[:-10], None, "truncated"),
        (CT[CT_BEGIN : CT_BEGIN + 500], EXPLICIT, "truncated"),
        (a_ct(StudyInstanceUID=""), EXPLICIT, "no Study Instance UID"),
        (a_ct().replace(UID, (b"../" * 30)[: len(UID)]), EXPLICIT, "malformed"),
    ],
)  # fmt: skip
def test_what_is_not_a_whole_object_is_refused_in_one_sentence(  # noqa: PLR0917 - pytest passes by name
    archive, database, tmp_path, data, syntax, says
):
    with pytest.raises(Invalid, match=says) as refused:
        store(archive, data, syntax=syntax)
    assert "\n" not in refused.value.sentence
    with database.reading() as db:
        assert db.execute(select(func.count()).select_from(instance_table)).scalar_one() == 0
    assert files_under(tmp_path / "blobs") == []


class FailingDisk(SystemDisk):
    """A disk on which one kind of call fails from the given one on."""

    def __init__(self, call, after=0, number=errno.ENOSPC):
        self.call, self.left, self.number, self.calls = call, after, number, []

    def _count(self, call):
        self.calls.append(call)
        if call == self.call:
            self.left -= 1
            if self.left < 0:
                raise OSError(self.number, "injected")

    def write(self, descriptor, data):
        self._count("write")
        return super().write(descriptor, data)

    def fsync(self, descriptor):
        self._count("fsync")
        super().fsync(descriptor)

    def link(self, source, target):
        self._count("link")
        super().link(source, target)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(("call", "after"), [("write", 0), ("fsync", 0), ("fsync", 1), ("link", 0), ("fsync", 3)])
def test_a_failing_disk_refuses_the_object_and_recovers(  # noqa: PLR0917 - pytest passes by name
    database, chronicle, tmp_path, call, after, number
):
    broken = Archive(database, chronicle, Blobs(tmp_path / "blobs", FailingDisk(call, after, number)))
    with pytest.raises(Unavailable) as refused:
        store(broken, CT, syntax=None)
    assert refused.value.code == "out-of-space"
    with pytest.raises(NotFound):
        broken.file("lianhua", dcmread(io.BytesIO(CT)).SOPInstanceUID)
    repaired = Archive(database, chronicle, Blobs(tmp_path / "blobs"))
    assert list(differences(database, repaired.blobs)) == []
    repaired.recover()
    assert files_under(tmp_path / "blobs") == []
    assert store(repaired, CT, syntax=None).new


def test_the_row_comes_after_the_file_and_its_folder_are_safe(database, chronicle, tmp_path):
    disk = FailingDisk("none")
    archive = Archive(database, chronicle, Blobs(tmp_path / "blobs", disk))
    store(archive, CT, syntax=None)
    assert disk.calls == ["write", "fsync", "fsync", "fsync", "link", "fsync"]


def test_a_store_that_died_before_its_row_leaves_nothing(archive, database, chronicle, blobs, tmp_path):
    kept = store(archive, CT, syntax=None)

    class Died(BaseException):
        pass

    with pytest.raises(Died), blobs.keeping([b"half a store"]):
        raise Died
    with pytest.raises(Died), blobs.keeping([CT]):
        raise Died
    (tmp_path / "blobs" / "incoming" / "torn").write_bytes(b"torn")
    assert Archive(database, chronicle, Blobs(tmp_path / "blobs")).recover() == 3
    assert [path.stem for path in files_under(tmp_path / "blobs")] == [kept.digest]
    assert list(differences(database, blobs)) == []


def test_verification_names_each_difference(archive, database, blobs):
    uids = [store(archive, a_ct(SOPInstanceUID=f"1.2.{number}")).sop_instance_uid for number in range(3)]
    with archive.file("lianhua", uids[0]).open("r+b") as file:
        file.seek(2000)
        file.write(b"\xff")
    archive.file("lianhua", uids[1]).unlink()
    with blobs.keeping([b"nobody's"]):
        pass
    found = sorted(differences(database, blobs))
    assert len(found) == 3
    assert any("has changed" in sentence and uids[0] in sentence for sentence in found)
    assert any("missing" in sentence and uids[1] in sentence for sentence in found)
    assert any("no row" in sentence for sentence in found)


class AwayForWriters(Database):
    @contextmanager
    def transaction(self):
        raise Unavailable("the database did not answer")
        yield


def test_a_database_that_is_away_refuses_the_object_and_a_start_clears_up(archive, database, chronicle, blobs, tmp_path):
    writers_away = AwayForWriters(database.url.render_as_string(hide_password=False))
    away = Archive(writers_away, chronicle, blobs)
    with pytest.raises(Unavailable) as refused:
        store(away, CT, syntax=None)
    assert refused.value.code == "database"
    with pytest.raises(NotFound):
        away.file("lianhua", UID.decode())
    writers_away.close()
    assert archive.recover() == 1
    assert files_under(tmp_path / "blobs") == []
    assert store(archive, CT, syntax=None).new
