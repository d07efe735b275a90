"""What a device writes is set for the device, and what came from it is read again; removing the setting puts all back."""

import itertools

import pytest
from sqlalchemy import select
from support.objects import an_image

from dicom_node.archive import index
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.charset import ILLEGIBLE_MARK
from dicom_node.archive.profiles import Device, assumed_for, profiles, remove_profile, set_profile
from dicom_node.archive.quarantine import illegible_names
from dicom_node.archive.rereading import Rereading
from dicom_node.archive.tables import patient_table, series_table, study_table, word_table
from telemed.kernel.errors import Invalid, NotFound

#: Japanese under a Latin label: no reading of ours explains the bytes.
RAW = "山田^太郎".encode("shift_jis")


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def put(database, chronicle, blobs, clock):
    archive, numbers = Archive(database, chronicle, blobs), itertools.count()

    def put(source="CT1", institution="lianhua", **attributes):
        clock.pass_(seconds=1)
        uid = f"1.2.{next(numbers)}"
        data = an_image(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.1", **attributes)
        archive.store(data, institution=institution, transfer_syntax_uid=None, source=source)
        return uid

    return put


@pytest.fixture
def rereading(database, chronicle, blobs):
    return Rereading(database, chronicle, blobs)


@pytest.fixture
def assume(database, chronicle, rereading):
    def assume(charset, device=Device("", "CT1", "", "")):  # noqa: B008 - frozen
        with database.transaction() as db:
            profile = set_profile(db, chronicle, device, charset, actor="admin")
        rereading.reread(device)
        return profile

    return assume


def shown(database, uid, institution="lianhua"):
    with database.reading() as db:
        study = index.study(db, institution, uid)
    return study.patient.display_name, study.patient.name_legibility, study.description


def rows(database):
    with database.reading() as db:
        return [
            sorted(map(repr, db.execute(select(table)).all())) for table in (patient_table, study_table, series_table, word_table)
        ]


def test_a_name_nobody_can_read_is_quarantined_with_its_bytes_and_what_they_could_mean(database, put):
    uid = put(PatientName=RAW, SpecificCharacterSet="ISO_IR 192", Manufacturer="ACME")
    assert shown(database, uid)[:2] == (ILLEGIBLE_MARK, "illegible")
    with database.reading() as db:
        [name] = illegible_names(db)
    assert (name.raw.strip(), name.device) == (RAW, Device("lianhua", "CT1", "ACME", name.device.model))
    assert name.readings["ISO_IR 13"] == "山田^太郎"


def test_setting_a_profile_reads_what_came_before_again_and_removing_it_puts_all_back(
    database, chronicle, rereading, put, assume
):
    described = "頭部".encode("shift_jis")
    japanese = put(PatientName=RAW, StudyDescription=described, SpecificCharacterSet="ISO_IR 192", PatientID="1")
    other = put("CT2", PatientName=RAW, SpecificCharacterSet="ISO_IR 192", PatientID="2")
    plain = put(PatientName="WANG^FANG", PatientID="3")
    before = rows(database)
    profile = assume("ISO_IR 13")
    assert shown(database, japanese) == ("山田太郎", "repaired", "頭部")
    assert shown(database, other)[0] == ILLEGIBLE_MARK
    assert shown(database, plain)[0] == "WANG FANG"
    with database.reading() as db:
        named = patient_table.c.id.in_(select(word_table.c.patient_key).where(word_table.c.word == "山田太郎"))
        assert db.scalars(select(patient_table.c.patient_id).where(named)).all() == ["1"]
    with database.transaction() as db:
        remove_profile(db, chronicle, profile, actor="admin")
    assert rereading.reread(Device("", "CT1", "", "")) == 1
    assert rows(database) == before


def test_what_comes_after_a_profile_was_set_is_read_by_it(database, put, assume):
    assume("ISO_IR 13")
    assert shown(database, put(PatientName=RAW, SpecificCharacterSet="ISO_IR 192"))[0] == "山田太郎"
    assert shown(database, put("CT2", PatientName=RAW, SpecificCharacterSet="ISO_IR 192", PatientID="2"))[0] == ILLEGIBLE_MARK


def test_a_profile_decides_where_two_readings_fit(database, put, assume):
    """The bytes of a Korean name are well-formed GBK: only somebody who knows the device can tell."""
    raw = "홍^길동".encode("euc_kr")
    uid = put(PatientName=raw, SpecificCharacterSet="ISO_IR 100")
    assert shown(database, uid)[0] != "홍 길동"
    assume("ISO 2022 IR 149")
    assert shown(database, uid)[0] == "홍 길동"


def test_a_device_that_learnt_utf8_is_read_as_it_says(database, put, assume):
    assume("GB18030")
    assert shown(database, put(PatientName="王^小东".encode(), SpecificCharacterSet="ISO_IR 192"))[:2] == ("王小东", "stated")


def test_the_most_particular_profile_wins(database, assume):
    for charset, device in (
        ("GB18030", Device("", "CT1", "", "")),
        ("ISO_IR 13", Device("lianhua", "CT1", "", "")),
        ("ISO_IR 100", Device("", "", "ACME", "")),
        ("ISO_IR 144", Device("", "", "ACME", "X1")),
    ):
        assume(charset, device)
    with database.reading() as db:
        known = profiles(db)
    assert assumed_for(known, Device("hehua", "CT1", "", "")) == "GB18030"
    assert assumed_for(known, Device("lianhua", "CT1", "OTHER", "")) == "ISO_IR 13"
    assert assumed_for(known, Device("lianhua", "MR1", "ACME", "X2")) == "ISO_IR 100"
    assert assumed_for(known, Device("lianhua", "MR1", "ACME", "X1")) == "ISO_IR 144"
    assert assumed_for(known, Device("lianhua", "MR1", "OTHER", "X1")) == ""


def test_a_device_has_one_profile_and_a_useless_one_is_refused(database, chronicle, assume):
    assume("GB18030")
    assume("ISO_IR 13")
    with database.reading() as db:
        assert [one.charset for one in profiles(db)] == ["ISO_IR 13"]
    with database.transaction() as db:
        with pytest.raises(Invalid, match="cannot be assumed"):
            set_profile(db, chronicle, Device("", "CT1", "", ""), "KLINGON", actor="admin")
        with pytest.raises(Invalid, match="which device"):
            set_profile(db, chronicle, Device("lianhua", "", "", ""), "GB18030", actor="admin")
        with pytest.raises(NotFound):
            remove_profile(db, chronicle, "nothing", actor="admin")
