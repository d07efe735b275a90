"""Requests as they stand, and the studies they are about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import Connection, select

from consult.consents.model import ConsentKind
from consult.practitioners.model import Expertise
from consult.requests.model import (
    Examination,
    Kind,
    Lane,
    Patient,
    Priority,
    RequestStatus,
    ServiceRequest,
    StudySummary,
    age_on,
)
from consult.requests.tables import examination_table, request_table
from dicom_node.archive import index
from dicom_node.archive.tables import study_table
from telemed.kernel.errors import NotFound

#: A county does a few thousand examinations a day; a worklist of more helps nobody.
MOST_SCHEDULED = 5000


def request_by_id(db: Connection, request_id: str) -> ServiceRequest:
    """Return one request; NotFound when there is none."""
    row = db.execute(select(request_table).where(request_table.c.id == request_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such request")
    words = {
        "kind": Kind(row["kind"]),
        "priority": Priority(row["priority"]),
        "lane": Lane(row["lane"]),
        "wanted": Expertise(row["wanted"]) if row["wanted"] else None,
        "consent_kind": ConsentKind(row["consent_kind"]),
        "status": RequestStatus(row["status"]),
    }
    return ServiceRequest(**{**row, **words})


def requests_on_consent(db: Connection, consent_id: str) -> list[ServiceRequest]:
    """Return the active requests that stand on one consent."""
    mine = (request_table.c.consent_id == consent_id) & (request_table.c.status == RequestStatus.ACTIVE)
    return [request_by_id(db, id_) for id_ in db.scalars(select(request_table.c.id).where(mine).order_by(request_table.c.id))]


def scheduled(db: Connection, institution_id: str, *, since: datetime) -> list[Examination]:
    """Return what an institution's modalities are still to do, the earliest first: not cancelled, and no study has come.

    A study belongs to an examination by its UID or, from equipment that makes UIDs of its own, by its accession number.
    """
    of_study, of_exam = study_table.c, examination_table.c
    named = (of_study.study_instance_uid == of_exam.study_instance_uid) | (of_study.accession_number == of_exam.accession_number)
    arrived = select(of_study.id).where(of_study.institution == of_exam.institution_id, named).exists()
    open_ = (of_exam.institution_id == institution_id) & (of_exam.scheduled_at >= since) & of_exam.cancelled_at.is_(None)
    query = select(examination_table).where(open_, ~arrived).order_by(of_exam.scheduled_at, of_exam.accession_number)
    return [Examination(**row) for row in db.execute(query.limit(MOST_SCHEDULED)).mappings()]


def summaries(db: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], StudySummary]:
    """Return what lists show of many (institution, StudyInstanceUID) pairs; absent studies are left out."""
    return {key: summary_of(study) for key, study in index.studies(db, keys).items()}


def summary_of(study: index.Study) -> StudySummary:
    """Return what a list shows of *study*."""
    return StudySummary(
        patient=patient_of(study),
        modalities=study.examined_by,
        description=study.description,
        accession_number=study.accession_number,
        series_count=study.series_count,
        instance_count=study.received_count,
    )


def patient_of(study: index.Study) -> Patient:
    """Return the patient of *study*, as old as on the day of the study (or of its arrival, when it names no day)."""
    born = _day(study.patient.birth_date)
    on = _day(study.study_date) or study.first_received_at.date()
    return Patient(study.patient.patient_id, study.patient.display_name, study.patient.sex, born, age_on(born, on))


def _day(digits: str) -> date | None:
    try:
        return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 - a birthday has no zone
    except ValueError:
        return None
