"""Builders of what a consultation needs, each real and as small as it can be; every one writes through the actions.

They take a Database and open their own transactions, so that a test reads as its story:

    county = a_county(database, chronicle)
    task_id = a_task(database, chronicle, county.nurse)
    claim(db, chronicle, task_id, by=county.radiologist)
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select

from consult.consents.actions import let_route
from consult.consents.model import Consent, ConsentKind
from consult.intake import ask
from consult.practitioners.actions import add_agreement, add_institution, add_practitioner
from consult.practitioners.model import SYSTEM, Level, Qualification, Role, Viewer
from consult.practitioners.views import viewer_of
from consult.requests.model import Kind, Lane, Order, Priority
from dicom_node.archive.charset import PersonName
from dicom_node.archive.indexing import rename
from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database, new_id

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ECG_12_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
WRITTEN = Consent(ConsentKind.WRITTEN, "signed on paper, page 1 of the file")


def a_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def an_institution(database: Database, chronicle: Chronicle, *, kind: Level, name: str) -> str:
    with database.transaction() as db:
        return add_institution(db, chronicle, name=name, name_en=name, kind=kind, by=SYSTEM)


def a_clinic(database: Database, chronicle: Chronicle, name: str = "莲花乡卫生院") -> str:
    return an_institution(database, chronicle, kind=Level.TOWNSHIP, name=name)


def a_hospital(database: Database, chronicle: Chronicle, name: str = "青山县医院") -> str:
    return an_institution(database, chronicle, kind=Level.COUNTY, name=name)


#: What an administrator has seen of everybody here, unless a test says otherwise.
SEEN = Qualification("110441900000001", date(2010, 7, 1))


def a_person(
    database: Database,
    chronicle: Chronicle,
    institution_id: str,
    *roles: Role,
    name: str = "李文",
    qualification: Qualification = SEEN,
) -> Viewer:
    with database.transaction() as db:
        terms = {"institution_id": institution_id, "roles": roles, "qualification": qualification}
        id_ = add_practitioner(db, chronicle, name=name, **terms, by=SYSTEM)
        return viewer_of(db, id_)


def a_specialist(
    database: Database, chronicle: Chronicle, hospital: str, role: Role = Role.RADIOLOGIST, name: str = "王敏"
) -> Viewer:
    return a_person(database, chronicle, hospital, role, name=name)


def a_nurse(database: Database, chronicle: Chronicle, clinic: str, name: str = "赵兰") -> Viewer:
    return a_person(database, chronicle, clinic, Role.CLINIC, name=name)


def an_agreement(database: Database, chronicle: Chronicle, clinic: str, hospital: str, **terms) -> str:
    terms = {"valid_from": date(2020, 1, 1)} | terms
    with database.transaction() as db:
        return add_agreement(db, chronicle, institution_id=clinic, performer_id=hospital, **terms, by=SYSTEM)


def a_study(
    database: Database,
    chronicle: Chronicle,
    institution: str,
    *,
    modality: str = "CT",
    instances: int = 2,
    name: str = "WANG^Xiaodong",
    ideographic: str = "王小东",
    birth_date: str = "19580214",
    patient_id: str = "",
    settled: bool = True,
    received_at: datetime | None = None,
) -> str:
    """Write the index rows of a study and return its StudyInstanceUID; there are no files behind them."""
    at, uid = received_at or chronicle.clock.now(), a_uid()
    patient = {
        "id": new_id(),
        "institution": institution,
        "patient_id": patient_id or new_id()[:12],
        "variant": 0,
        "issuer": "",
        "name": name,
        "name_folded": name.casefold(),
        "name_ideographic": ideographic,
        "name_phonetic": "",
        "name_raw": name.encode(),
        "name_legibility": "legible",
        "sex": "M",
        "birth_date": birth_date,
    }
    study = {
        "id": new_id(),
        "institution": institution,
        "study_instance_uid": uid,
        "patient_key": patient["id"],
        "accession_number": "A1",
        "study_id": "1",
        "description": "Head",
        "study_date": "20260302",
        "study_time": "0925",
        "referring_physician": "",
        "modalities": [modality],
        "series_count": 1,
        "instance_count": instances,
        "attributes": {},
        "first_received_at": at,
        "last_received_at": at,
        "settled_at": at + timedelta(seconds=3) if settled else None,
    }
    series = {
        "id": new_id(),
        "study_id": study["id"],
        "series_instance_uid": a_uid(),
        "modality": modality,
        "number": 1,
        "description": "",
        "body_part": "",
        "instance_count": instances,
        "attributes": {},
        "first_received_at": at,
    }
    ecg = modality == "ECG"
    rows = [
        {
            "id": new_id(),
            "institution": institution,
            "series_id": series["id"],
            "sop_instance_uid": a_uid(),
            "sop_class_uid": ECG_12_LEAD if ecg else CT_IMAGE,
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
            "number": number,
            "rows": None if ecg else 512,
            "columns": None if ecg else 512,
            "frames": 1,
            "attributes": {} if ecg else {"PixelData": True},
            "digest": new_id() * 2,
            "data_digest": new_id() * 2,
            "size": 1000,
            "source": "TEST",
            "received_at": at,
        }
        for number in range(1, instances + 1)
    ]
    with database.transaction() as db:
        for table, row in ((patient_table, patient), (study_table, study), (series_table, series), (instance_table, rows)):
            db.execute(insert(table), row)
    return uid


def found_by_name(database: Database, study_instance_uid: str) -> str:
    """Let the patient of a study be found by name, as the archive does for what it receives; return the UID."""
    of_it = select(patient_table).join(study_table, study_table.c.patient_key == patient_table.c.id)
    with database.transaction() as db:
        row = db.execute(of_it.where(study_table.c.study_instance_uid == study_instance_uid)).one()
        rename(db, row.id, PersonName(row.name, row.name_ideographic))
    return study_instance_uid


def an_order(study_instance_uid: str, **terms) -> Order:
    asked = {
        "kind": Kind.DIAGNOSIS,
        "priority": Priority.ROUTINE,
        "lane": Lane.IMAGING,
        "reason": "头痛两天",
        "consent": WRITTEN,
    }
    return Order(study_instance_uid, **(asked | terms))


def a_task(
    database: Database,
    chronicle: Chronicle,
    nurse: Viewer,
    study_instance_uid: str | None = None,
    *,
    modality: str = "CT",
    **terms,
) -> str:
    """Let *nurse* ask about a study (a fresh one unless named) of their clinic, and return the task's id."""
    uid = study_instance_uid or a_study(database, chronicle, nurse.institution_id, modality=modality)
    terms = {"lane": Lane.ECG if modality == "ECG" else Lane.IMAGING} | terms
    with database.transaction() as db:
        return ask(db, chronicle, an_order(uid, **terms), by=nurse)


@dataclass(frozen=True)
class County:
    """A clinic and a hospital with an agreement, and their people."""

    clinic: str
    hospital: str
    nurse: Viewer
    radiologist: Viewer
    colleague: Viewer
    cardiologist: Viewer
    coordinator: Viewer


def a_county(database: Database, chronicle: Chronicle) -> County:
    clinic, hospital = a_clinic(database, chronicle), a_hospital(database, chronicle)
    nurse, agreement = a_nurse(database, chronicle, clinic), an_agreement(database, chronicle, clinic, hospital)
    with database.transaction() as db:
        let_route(db, chronicle, agreement, keeper_id=nurse.practitioner_id, by=SYSTEM)
    return County(
        clinic,
        hospital,
        nurse,
        a_specialist(database, chronicle, hospital, name="王敏"),
        a_specialist(database, chronicle, hospital, name="陈涛"),
        a_specialist(database, chronicle, hospital, Role.CARDIOLOGIST, name="周宁"),
        a_person(database, chronicle, hospital, Role.COORDINATOR, name="孙立"),
    )
