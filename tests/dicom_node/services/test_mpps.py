import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE
from pynetdicom.presentation import build_context
from sqlalchemy import select

from dicom_node.archive.settling import Settling
from dicom_node.services.mpps import PERFORMED_PROCEDURE_STEP, expected_instances
from dicom_node.tables import step_table
from telemed.kernel.events import events_of


def a_step(status, **attributes):
    told = Dataset()
    told.SpecificCharacterSet = "GB18030"
    told.PerformedProcedureStepStatus = status
    for keyword, value in attributes.items():
        setattr(told, keyword, value)
    return told


def scheduled(study):
    item = Dataset()
    item.StudyInstanceUID = study
    return Sequence([item])


def made(*uids):
    series = Dataset()
    series.SeriesInstanceUID = "1.9"
    series.ReferencedImageSequence = Sequence()
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
        series.ReferencedImageSequence.append(item)
    return Sequence([series])


@pytest.fixture
def modality(node):
    association = AE("CT1").associate(*node.address, contexts=[build_context(PERFORMED_PROCEDURE_STEP)], ae_title="TELEMED")
    yield association
    association.release()


def begin(modality, uid="5.5", **attributes):
    told = a_step("IN PROGRESS", Modality="CT", PatientName="王芳", ScheduledStepAttributesSequence=scheduled("1"), **attributes)
    return modality.send_n_create(told, PERFORMED_PROCEDURE_STEP, uid)[0].Status


def change(modality, told, uid="5.5"):
    return modality.send_n_set(told, PERFORMED_PROCEDURE_STEP, uid)[0].Status


def test_a_step_that_ends_says_which_instances_to_expect(modality, database):
    assert begin(modality) == 0
    with database.reading() as db:
        assert expected_instances(db, "lianhua", "1") is None
    assert change(modality, a_step("COMPLETED", PerformedSeriesSequence=made("1.1", "1.2"))) == 0
    with database.reading() as db:
        assert expected_instances(db, "lianhua", "1") == {"1.1", "1.2"}
        [row] = db.execute(select(step_table)).all()
        [event] = events_of(db, "1")
    assert (row.status, row.modality, row.attributes["PatientName"]) == ("COMPLETED", "CT", "王芳")
    assert row.ended_at is not None
    assert (event.type, event.data["status"], event.data["instance_count"]) == ("StepCompleted", "COMPLETED", 2)


def test_a_step_that_has_ended_changes_no_more(modality, database):
    begin(modality)
    assert change(modality, a_step("DISCONTINUED")) == 0
    assert change(modality, a_step("COMPLETED")) == 0x0110
    with database.reading() as db:
        assert db.execute(select(step_table.c.status)).scalar_one() == "DISCONTINUED"


def test_a_step_begins_once_and_in_progress(modality):
    assert begin(modality) == 0
    assert begin(modality) == 0x0111
    finished = a_step("COMPLETED", ScheduledStepAttributesSequence=scheduled("1"))
    assert modality.send_n_create(finished, PERFORMED_PROCEDURE_STEP, "5.6")[0].Status == 0x0106


def test_a_step_that_never_began_cannot_be_changed(modality):
    assert change(modality, a_step("COMPLETED"), "7.7") == 0x0112


def test_a_step_of_another_clinic_is_not_there(modality, node):
    begin(modality)
    other = AE("US1").associate(*node.address, contexts=[build_context(PERFORMED_PROCEDURE_STEP)], ae_title="TELEMED")
    assert change(other, a_step("COMPLETED")) == 0x0112
    other.release()


@pytest.fixture
def watch(database, chronicle):
    return Settling(database, chronicle, announced=expected_instances)


def settled(database):
    with database.reading() as db:
        return [(event.data["proof"], event.data["missing"]) for event in events_of(db, "1") if event.type == "StudySettled"]


def test_a_study_is_complete_as_soon_as_all_is_there_that_the_step_named(modality, put, watch, database):
    put("1.1", study="1")
    put("1.2", study="1")
    begin(modality)
    assert watch.settle() == 0
    change(modality, a_step("COMPLETED", PerformedSeriesSequence=made("1.1", "1.2")))
    assert watch.settle() == 1
    assert settled(database) == [("mpps", [])]


def test_what_a_step_named_and_did_not_come_is_waited_for_and_then_told(modality, put, watch, database, clock):
    put("1.1", study="1")
    clock.pass_(seconds=4)
    assert watch.settle() == 1
    begin(modality)
    change(modality, a_step("COMPLETED", PerformedSeriesSequence=made("1.1", "1.2", "1.3")))
    assert watch.settle() == 0
    clock.pass_(seconds=15)
    assert watch.settle() == 1
    put("1.2", study="1")
    put("1.3", study="1")
    clock.pass_(seconds=1)
    assert watch.settle() == 1
    missing = {"series_number": None, "numbers": "", "count": 2}
    assert settled(database) == [("quiet", []), ("quiet", [missing]), ("mpps", [])]
