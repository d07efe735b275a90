from datetime import UTC, datetime

import pytest

from dicom_node.services.worklist import MODALITY_WORKLIST, ScheduledStep, Worklist
from telemed.kernel.audit import audit_table
from telemed.kernel.database import Database, metadata


def an_entry(number, **other):
    values = {
        "identifier": f"E{number}",
        "accession_number": f"A{number}",
        "study_instance_uid": f"1.{number}",
        "patient_id": f"P{number}",
        "patient_name": "WANG^Fang=王芳",
        "patient_sex": "F",
        "patient_birth_date": "19580214",
        "modality": "CT",
        "station_aet": "",
        "description": "胸部平扫",
        "starts_at": datetime(2026, 3, 2, 17, 30, tzinfo=UTC),  # 01:30 of the next day in China
    }
    return ScheduledStep(**values | other)


ENTRIES = {
    "lianhua": [
        an_entry(1),
        an_entry(2, patient_name="LI^Na=李娜", modality="DX", station_aet="DX1"),
        an_entry(3, starts_at=datetime(2026, 3, 4, 1, 0, tzinfo=UTC)),
    ]
}
STEP = "ScheduledProcedureStepSequence[0]"


@pytest.fixture
def database(tmp_path):
    """The worklist asks its source, and writes down who asked."""
    database = Database(f"sqlite:///{tmp_path}/telemed.sqlite")
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def services(witness):
    return (Worklist(witness, lambda institution: ENTRIES.get(institution, [])),)


def accessions(found):
    return [one.AccessionNumber for one in found]


def test_a_modality_is_told_what_it_is_to_do(asking):
    whole = ("AccessionNumber", "PatientName", "PatientID", "StudyInstanceUID", "RequestedProcedureDescription", "Allergies")
    step = (f"{STEP}.Modality", f"{STEP}.ScheduledProcedureStepStartDate", f"{STEP}.ScheduledProcedureStepStartTime")
    first, *_ = found = asking.find(*whole, *step, model="-W")
    assert accessions(found) == ["A1", "A2", "A3"]
    assert (first.PatientName.ideographic, first.PatientID, first.StudyInstanceUID) == ("王芳", "P1", "1.1")
    assert first.RequestedProcedureDescription == "胸部平扫"
    assert first["Allergies"].is_empty
    [item] = first.ScheduledProcedureStepSequence
    assert (item.Modality, item.ScheduledProcedureStepStartDate, item.ScheduledProcedureStepStartTime) == (
        "CT",
        "20260303",
        "013000",
    )


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (f"{STEP}.ScheduledProcedureStepStartDate=20260303", ["1.1", "1.2"]),
        (f"{STEP}.ScheduledProcedureStepStartDate=20260304-", ["1.3"]),
        (f"{STEP}.Modality=DX", ["1.2"]),
        (f"{STEP}.ScheduledStationAETitle=CT1", ["1.1", "1.3"]),
        (f"{STEP}.ScheduledStationAETitle=DX1", ["1.1", "1.2", "1.3"]),
        ("PatientName=LI*", ["1.2"]),
        ("PatientName=lina", ["1.2"]),
        ("PatientID=P3", ["1.3"]),
        ("AccessionNumber=A9", []),
    ],
)
def test_the_worklist_is_matched_by_date_machine_kind_and_person(asking, key, expected):
    assert [one.StudyInstanceUID for one in asking.find("StudyInstanceUID", key, model="-W")] == expected


@pytest.mark.parametrize(
    ("dates", "times", "expected"),
    [
        ("20260303-20260305", "0200-0600", ["1.3"]),  # from two in the morning of the third
        ("20260302-20260303", "2200-0600", ["1.1", "1.2"]),  # a night
        ("20260303-", "0200-", ["1.3"]),
        ("-20260304", "-0800", ["1.1", "1.2"]),
        ("20260303", "0100-0200", ["1.1", "1.2"]),
        ("20260303-20260304", "09", ["1.3"]),
    ],
)
def test_a_range_of_dates_with_one_of_times_is_one_period(asking, dates, times, expected):
    keys = (f"{STEP}.ScheduledProcedureStepStartDate={dates}", f"{STEP}.ScheduledProcedureStepStartTime={times}")
    assert [one.StudyInstanceUID for one in asking.find("StudyInstanceUID", *keys, model="-W")] == expected


@pytest.mark.parametrize(
    ("key", "stations"), [("", ["CT1", "DX1", "CT1"]), ("CT*", ["CT1", "CT1"]), ("CT_ROOM_2", ["CT_ROOM_2"] * 2)]
)
def test_an_entry_for_any_station_names_the_one_that_asks(asking, key, stations):
    found = asking.find("AccessionNumber", f"{STEP}.ScheduledStationAETitle={key}", model="-W")
    assert [one.ScheduledProcedureStepSequence[0].ScheduledStationAETitle for one in found] == stations


def test_another_clinics_modality_is_told_nothing_of_it(asking):
    assert asking.find("AccessionNumber", model="-W", calling="US1") == []


def test_who_asks_in_gb18030_reads_the_name_in_it(asking):
    first, *_ = asking.find("SpecificCharacterSet=GB18030", "AccessionNumber", "PatientName", model="-W")
    assert first.SpecificCharacterSet == "GB18030"
    assert first.PatientName.ideographic == "王芳"


def test_who_asked_for_what_is_in_the_audit_trail(asking, witness, database):
    asking.find("AccessionNumber", "PatientName=LI*", f"{STEP}.Modality=DX", model="-W")
    witness.stop()
    with database.reading() as db:
        [row] = db.execute(audit_table.select().where(audit_table.c.action == "Query"))
    assert (row.actor, row.institution, row.entity_id) == ("CT1", "lianhua", MODALITY_WORKLIST)
    assert row.detail["keys"] == {"PatientName": "LI*", "Modality": "DX"}
