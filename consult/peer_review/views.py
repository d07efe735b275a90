"""Reviews that are due, as their reviewers and the authors of raised ones are shown them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select

from consult.peer_review.model import Review, ReviewStatus, Sampling
from consult.peer_review.tables import review_table, sampling_table
from consult.practitioners.model import Person, Role, Viewer
from consult.practitioners.views import people_by_id, practitioner
from consult.queue.views import READERS
from consult.readings.model import Radpeer
from consult.readings.tables import reading_table
from consult.reports.views import of_record
from consult.requests.model import Lane
from telemed.kernel.errors import NotFound

MOST_DUE = 100


def due(db: Connection, viewer: Viewer) -> tuple[Review, ...]:
    """Return what *viewer* may review or has begun to, and what was raised about their own reports; the oldest first."""
    mine = or_(
        _reviewable(db, viewer) & (review_table.c.status == ReviewStatus.OPEN),
        (review_table.c.reviewer_id == viewer.practitioner_id) & (review_table.c.status == ReviewStatus.CLAIMED),
        (review_table.c.author_id == viewer.practitioner_id) & (review_table.c.status == ReviewStatus.RAISED),
    )
    rows = db.execute(select(review_table).where(mine).order_by(review_table.c.drawn_at, review_table.c.id).limit(MOST_DUE))
    return tuple(_review(db, row, viewer) for row in rows.all())


def review(db: Connection, viewer: Viewer, review_id: str) -> Review:
    """Return one review to who may do it, does it or did it, and to the author once it is raised; NotFound to others."""
    told = review_table.c.status.in_((ReviewStatus.RAISED, ReviewStatus.AMENDED, ReviewStatus.UPHELD))
    mine = or_(
        _reviewable(db, viewer),
        review_table.c.reviewer_id == viewer.practitioner_id,
        (review_table.c.author_id == viewer.practitioner_id) & told,
    )
    row = db.execute(select(review_table).where(review_table.c.id == review_id, mine)).first()
    if row is None:
        raise NotFound("there is no such review for you", code="review")
    return _review(db, row, viewer)


def sampling(db: Connection) -> tuple[Sampling, ...]:
    """Return how many reports of each specialty are drawn."""
    kept = {row.specialty: Sampling(Role(row.specialty), row.percent, row.seed) for row in db.execute(select(sampling_table))}
    return tuple(kept.get(specialty, Sampling(specialty)) for specialty in sorted(READERS))


def _reviewable(db: Connection, viewer: Viewer) -> ColumnElement[bool]:
    """Say which reviews *viewer* may do: of their hospital and specialty, of a study that they have not read themselves."""
    specialties = set() if practitioner(db, viewer.practitioner_id).qualification.in_training else viewer.roles & READERS
    read = select(reading_table.c.id).where(
        reading_table.c.task_id == review_table.c.task_id, reading_table.c.reader_id == viewer.practitioner_id
    )
    return (
        (review_table.c.hospital_id == viewer.institution_id)
        & review_table.c.specialty.in_(specialties)
        & (review_table.c.author_id != viewer.practitioner_id)
        & ~read.exists()
    )


def _review(db: Connection, row: Row[Any], viewer: Viewer) -> Review:
    report = of_record(db, row.report_id)
    # Who reviewed a report stays between the reviewer and those who answer for the service.
    own = row.reviewer_id is not None and row.reviewer_id == viewer.practitioner_id
    reviewer: Person | None = people_by_id(db, {row.reviewer_id})[row.reviewer_id] if own else None
    return Review(
        id=row.id,
        report_id=row.report_id,
        task_id=row.task_id,
        study_instance_uid=report.study_instance_uid,
        status=ReviewStatus(row.status),
        month=row.month,
        specialty=Role(row.specialty),
        lane=Lane(row.lane),
        kind=report.kind,
        patient=report.patient,
        modalities=report.modalities,
        study_description=report.study_description,
        findings=report.findings,
        impression=report.impression,
        critical=report.critical,
        reviewer=reviewer,
        score=Radpeer(row.score) if row.score else None,
        comment=row.comment,
        answer=row.answer,
        drawn_at=row.drawn_at,
    )
