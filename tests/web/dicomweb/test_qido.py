"""Searching by QIDO-RS as clients do."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from support.server import until

from telemed.kernel.audit import audit_table

from .conftest import on_both_databases

JSON = "application/dicom+json"


def uids(answer, tag="0020000D"):
    return {one[tag]["Value"][0] for one in answer.json()}


@on_both_databases
def test_studies_series_and_instances_are_found_at_all_their_addresses(service):
    ct, mr, *_ = service.keep("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm")
    everything = service.get("/studies", JSON)
    assert (everything.status, everything.headers["Content-Type"]) == (200, JSON)
    assert len(everything.json()) == 3
    study, series = f"/studies/{ct.study_instance_uid}", f"/studies/{ct.study_instance_uid}/series/{ct.series_instance_uid}"
    for path in ("/series", f"{study}/series"):
        assert ct.series_instance_uid in uids(service.get(path, JSON), "0020000E")
    for path in ("/instances", f"{study}/instances", f"{series}/instances"):
        assert ct.sop_instance_uid in uids(service.get(path, JSON), "00080018")
    assert uids(service.get(f"{study}/series", JSON)) == {ct.study_instance_uid}
    assert mr.sop_instance_uid not in uids(service.get(f"{study}/instances", JSON), "00080018")


def test_a_study_says_what_the_standard_asks_for(service):
    (ct,) = service.keep("CT_small.dcm")
    (one,) = service.get("/studies?StudyInstanceUID=" + ct.study_instance_uid).json()
    assert one["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "CompressedSamples^CT1"}]}
    assert one["00080061"]["Value"] == ["CT"]
    assert (one["00201206"]["Value"], one["00201208"]["Value"]) == ([1], [1])
    assert one["00081190"]["Value"] == [f"{service.url}/studies/{ct.study_instance_uid}"]
    (instance,) = service.get(f"/studies/{ct.study_instance_uid}/instances").json()
    assert (instance["00280010"]["Value"], instance["00083002"]["Value"]) == ([128], ["1.2.840.10008.1.2.1"])


def test_a_search_that_is_refused_leaves_nothing_behind_for_the_next(service):
    (ct,) = service.keep("CT_small.dcm")
    refused = service.get("/studies?PatientID=1CT1&Modality=CT", JSON)
    assert (refused.status, "Modality cannot be matched" in refused.json()["detail"]) == (400, True)
    before = service.database.version()
    service.keep("MR_small.dcm")
    assert service.database.version() != before  # else what was revoked meanwhile would still be believed
    assert uids(service.get("/studies?PatientID=1CT1", JSON)) == {ct.study_instance_uid}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("PatientName=compressed*", 2),
        ("00100010=CompressedSamples^MR1", 1),
        ("PatientID=1CT1", 1),
        ("ModalitiesInStudy=CT", 1),
        ("StudyDate=20040101-20041231&PatientID=*", 2),
        ("StudyDate=19000101-19001231", 0),
        ("StudyDate=20040119-20040827&StudyTime=0700-1300", 2),  # one period, from a morning to a noon months later
        ("StudyDate=20040119-20040827&StudyTime=0800-1300", 1),
        ("PatientName=compressed&fuzzymatching=true", 2),
        ("PatientID=", 2),
    ],
)
def test_attributes_match_by_keyword_and_by_tag(service, query, count):
    service.keep("CT_small.dcm", "MR_small.dcm")
    answer = service.get(f"/studies?{query}", JSON)
    assert (answer.status, len(answer.json()) if answer.body else 0) == (200 if count else 204, count)


def test_pages_do_not_overlap_and_say_when_there_is_more(service):
    service.keep("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm")
    first, second = service.get("/studies?limit=2"), service.get("/studies?limit=2&offset=2")
    assert (len(first.json()), len(second.json())) == (2, 1)
    assert first.headers["Warning"].startswith("299 ")
    assert "Warning" not in second.headers
    assert not uids(first) & uids(second)


def test_further_attributes_come_when_they_are_asked_for(service):
    service.keep("CT_small.dcm")
    plain, more = service.get("/instances").json()[0], service.get("/instances?includefield=all").json()[0]
    assert more.keys() > plain.keys()


@pytest.mark.parametrize("query", ["Nonsense=1", "limit=-1", "offset=x", "00291010=5", "StudyDate=yesterday"])
def test_a_search_that_cannot_be_done_is_refused_with_a_sentence(service, query):
    answer = service.get(f"/studies?{query}", JSON)
    assert answer.status == 400
    assert len(answer.json()["detail"]) > 20


def test_only_what_one_may_see_is_found(service):
    (ct,) = service.keep("CT_small.dcm")
    for path in ("/studies", "/series", "/instances", f"/studies/{ct.study_instance_uid}/series"):
        assert service.get(path, person="nurse").status == 200
        assert service.get(path, person="stranger").status == 204
        assert service.get(path, person="regulator").status == 403


def test_a_media_type_that_is_not_spoken_is_refused(service):
    assert service.get("/studies", "application/dicom+xml").status == 406


@on_both_databases
def test_who_looked_for_whom_is_audited_once_a_minute(service, clock):
    def records() -> list:
        with service.database.reading() as db:
            return list(db.execute(select(audit_table).where(audit_table.c.action == "Query")).mappings())

    for _ in range(3):
        service.get("/studies?PatientName=WANG*", JSON)
    until(records, 5)  # they are written in the moment after the answer
    (record,) = records()
    assert (record["actor"], record["entity_id"]) == (service.people["nurse"].practitioner_id, "QIDO-RS studies")
    assert record["detail"]["keys"] == {"PatientName": "WANG*"}
    service.get("/studies?PatientName=WANG*", JSON, person="stranger")
    service.get("/studies?PatientName=LI*", JSON)
    clock.pass_(minutes=2)
    service.get("/studies?PatientName=WANG*", JSON)
    assert service.get("/studies?Nonsense=1", JSON).status == 400
    service.get("/studies?PatientName=ZHAO*", JSON)
    until(lambda: len(records()) >= 5, 5)
    assert len(records()) == 5


@on_both_databases
def test_every_reading_is_audited_once_a_minute(service, clock):
    (ct,) = service.keep("CT_small.dcm")

    def records() -> list:
        with service.database.reading() as db:
            return list(db.execute(select(audit_table).where(audit_table.c.action == "StudyRead")).mappings())

    for _ in range(3):
        service.get(f"/studies/{ct.study_instance_uid}/metadata")
    (record,) = records()
    assert (record["actor"], record["entity_id"]) == (service.people["nurse"].practitioner_id, ct.study_instance_uid)
    service.get(f"/studies/{ct.study_instance_uid}/metadata", person="stranger")
    assert len(records()) == 1
