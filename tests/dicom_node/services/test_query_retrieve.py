import time

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.presentation import build_context
from sqlalchemy import select

from dicom_node.archive.identity import merge
from dicom_node.archive.tables import patient_table
from dicom_node.services.query_retrieve import AT_ONCE, STUDY_ROOT_FIND
from telemed.kernel.audit import audit_table


def test_a_study_is_found_by_its_chinese_name(put, asking):
    put("1.1", study="1", name="WANG^Fang=王芳")
    put("2.1", study="2", series="2.2", name="LI^Na=李娜", patient_id="P2")
    charset = "SpecificCharacterSet=ISO_IR 192"
    [found] = asking.find(charset, "QueryRetrieveLevel=STUDY", "PatientName=王*", "StudyInstanceUID", "PatientID", "StudyDate")
    assert (found.StudyInstanceUID, found.PatientID, found.StudyDate) == ("1", "P1", "20040119")
    assert found.PatientName.ideographic == "王芳"
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert (found.QueryRetrieveLevel, found.RetrieveAETitle) == ("STUDY", "TELEMED")
    assert asking.find(charset, "QueryRetrieveLevel=STUDY", "PatientName=赵*", "StudyInstanceUID") == []


@pytest.mark.parametrize(("key", "found"), [("wang*", {"1", "2"}), ("wangxiaoming", {"2"}), ("*ang*", {"1"}), ("zhao*", set())])
def test_a_study_is_found_by_how_the_name_is_read(put, asking, key, found):
    put("1.1", study="1", name="WANG^Fang")
    put("2.1", study="2", series="2.2", name="=王^小明", patient_id="P2")
    answers = asking.find("QueryRetrieveLevel=STUDY", f"PatientName={key}", "StudyInstanceUID")
    assert {one.StudyInstanceUID for one in answers} == found


@pytest.mark.parametrize("charset", ["GB18030", "GBK"])
def test_who_asks_in_gb18030_or_gbk_is_answered_so(put, node, charset):
    put("1.1", study="1", name="WANG^Fang=王芳")
    identifier = Dataset()
    identifier.SpecificCharacterSet = charset
    identifier.QueryRetrieveLevel, identifier.PatientName, identifier.StudyInstanceUID = "STUDY", "王芳", ""
    association = AE("CT1").associate(*node.address, contexts=[build_context(STUDY_ROOT_FIND)], ae_title="TELEMED")
    answers = [answer for _, answer in association.send_c_find(identifier, STUDY_ROOT_FIND) if answer is not None]
    association.release()
    assert [(one.SpecificCharacterSet, str(one.PatientName)) for one in answers] == [(charset, "WANG^Fang=王芳")]


def test_every_level_of_both_models_answers(put, asking):
    for number in range(3):
        put(f"1.{number}", study="1", series=f"1.9.{number // 2}", InstanceNumber=number)
    unique = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"
    asked = {"PATIENT": ("PatientID",), "STUDY": unique[:1], "SERIES": unique[:2], "IMAGE": unique}
    for model, levels in (("-P", asked), ("-S", dict(list(asked.items())[1:]))):
        counts = {level: len(asking.find(f"QueryRetrieveLevel={level}", *keys, model=model)) for level, keys in levels.items()}
        assert counts == {level: count for level, count in zip(asked, (1, 1, 2, 3), strict=True) if level in levels}
    [patient] = asking.find(
        "QueryRetrieveLevel=PATIENT",
        "PatientID=P1",
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedInstances",
        model="-P",
    )
    assert (patient.NumberOfPatientRelatedStudies, patient.NumberOfPatientRelatedInstances) == (1, 3)
    [image] = asking.find("QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1", "SOPInstanceUID", "InstanceNumber=2", "Rows")
    assert (image.SOPInstanceUID, image.Rows) == ("1.2", 128)


def test_what_is_kept_of_a_level_and_of_those_above_it_is_told(put, asking):
    put("1.1", study="1", series="1.9", InstitutionName="Lianhua", Manufacturer="Acme", ImageType=["ORIGINAL", "PRIMARY"])
    asked = "Manufacturer", "InstitutionName", "ImageType", "ModalitiesInStudy", "NumberOfFrames"
    told = {}
    for level, key in (("STUDY", "StudyInstanceUID"), ("SERIES", "SeriesInstanceUID"), ("IMAGE", "SOPInstanceUID")):
        [found] = asking.find(f"QueryRetrieveLevel={level}", key, *asked)
        told[level] = {keyword: str(found[keyword].value) for keyword in asked if keyword in found}
    study = {"InstitutionName": "Lianhua", "ModalitiesInStudy": "CT"}
    series = study | {"Manufacturer": "Acme"}
    image = series | {"ImageType": "['ORIGINAL', 'PRIMARY']", "NumberOfFrames": "1"}
    assert told == {"STUDY": study, "SERIES": series, "IMAGE": image}


def test_an_institution_sees_nobody_elses_studies(put, asking):
    put("1.1", study="1")
    assert len(asking.find("QueryRetrieveLevel=STUDY", "StudyInstanceUID")) == 1
    assert asking.find("QueryRetrieveLevel=STUDY", "StudyInstanceUID", calling="US1") == []
    assert asking.get("QueryRetrieveLevel=STUDY", "StudyInstanceUID=1", calling="US1") == []


def test_a_patient_is_shown_only_to_who_may_see_a_study(put, asking):
    put("1.1", study="1")
    assert len(asking.find("QueryRetrieveLevel=PATIENT", "PatientID=P1", model="-P")) == 1
    assert asking.find("QueryRetrieveLevel=PATIENT", "PatientID=P1", model="-P", calling="US1") == []


def test_what_is_not_asked_for_is_not_told_and_what_is_unknown_is_said(put, asking):
    put("1.1", study="1")
    [found] = asking.find("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "0009,0010=X", "AdmittingDiagnosesDescription")
    assert {"PatientName", "StudyDate", "AdmittingDiagnosesDescription"}.isdisjoint(found.dir())
    assert "WarningUnsupportedOptionalKeys" in asking.said


@pytest.mark.parametrize(
    "keys", [("QueryRetrieveLevel=FRAME",), ("QueryRetrieveLevel=PATIENT",), ("QueryRetrieveLevel=STUDY", "StudyDate=March")]
)
def test_an_identifier_that_makes_no_sense_is_refused(put, asking, keys):
    put("1.1", study="1")
    assert asking.find(*keys) == []
    assert "Final Find Response (Error: DataSetDoesNotMatchSOPClass)" in asking.said


def ask_for_all(node):
    association = AE("CT1").associate(*node.address, contexts=[build_context(STUDY_ROOT_FIND)], ae_title="TELEMED")
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", ""
    return association, association.send_c_find(identifier, STUDY_ROOT_FIND, msg_id=7)


def test_a_large_result_comes_whole_and_page_by_page(node, many_studies):
    many_studies(2 * AT_ONCE + 7)
    association, answers = ask_for_all(node)
    found = [answer.StudyInstanceUID for status, answer in answers if status.Status == 0xFF00]
    association.release()
    assert len(found) == len(set(found)) == 2 * AT_ONCE + 7


def test_a_query_that_is_cancelled_ends(node, many_studies):
    many_studies(20 * AT_ONCE)
    association, answers = ask_for_all(node)
    statuses = []
    for status, _ in answers:
        statuses.append(status.Status)
        if len(statuses) == 3:
            association.send_c_cancel(7, query_model=STUDY_ROOT_FIND)
    association.release()
    assert statuses[-1] == 0xFE00
    assert len(statuses) < 20 * AT_ONCE


def test_a_peer_that_aborts_in_the_middle_leaves_no_thread_behind(node, many_studies):
    many_studies(2 * AT_ONCE)
    association, answers = ask_for_all(node)
    next(answers)
    assert node._questions.associations == 1
    association.abort()
    deadline = time.monotonic() + 5
    while node._questions.associations and time.monotonic() < deadline:
        time.sleep(0.05)
    assert node._questions.associations == 0


def test_who_asked_for_what_is_in_the_audit_trail(put, asking, witness, database):
    put()
    asking.find("QueryRetrieveLevel=STUDY", "PatientName=WANG*", "StudyDate=", "StudyInstanceUID=")
    witness.stop()
    asking.get("QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2")
    asking.move("NOBODY", "QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2")
    with database.reading() as db:
        query = select(audit_table).where(audit_table.c.action == "Query").order_by(audit_table.c.sequence)
        found, got, moved = db.execute(query).all()
    assert (found.actor, found.institution, found.entity_id) == ("CT1", "lianhua", "1.2.840.10008.5.1.4.1.2.2.1")
    assert found.detail == {"level": "STUDY", "keys": {"PatientName": "WANG*"}, "address": "127.0.0.1"}
    assert (got.detail["keys"], got.detail["destination"]) == ({"StudyInstanceUID": "1.2"}, "CT1")
    assert (moved.detail["destination"], moved.detail["refused"]) == ("NOBODY", "unknown destination")


def test_a_merged_patient_is_found_and_fetched_by_either_id(put, asking, database, chronicle):
    put("1.2.3", study="1.2", series="1.2.1", patient_id="OLD")
    put("1.3.3", study="1.3", series="1.3.1", patient_id="NEW")
    with database.transaction() as db:
        keys = {row.patient_id: row.id for row in db.execute(select(patient_table))}
        merge(
            db, chronicle, survivor_key=keys["NEW"], absorbed_key=keys["OLD"], reason="same", despite_conflicts=False, actor="a"
        )
    for asked in ("OLD", "NEW"):
        studies = asking.find("QueryRetrieveLevel=STUDY", f"PatientID={asked}", "StudyInstanceUID")
        assert {(one.StudyInstanceUID, one.PatientID) for one in studies} == {("1.2", "NEW"), ("1.3", "NEW")}
        [patient] = asking.find("QueryRetrieveLevel=PATIENT", f"PatientID={asked}", "NumberOfPatientRelatedStudies", model="-P")
        assert patient.NumberOfPatientRelatedStudies == 2
        assert len(asking.get("QueryRetrieveLevel=PATIENT", f"PatientID={asked}", model="-P")) == 2
