"""Rounds as those who may join them see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from consult.practitioners.model import Institution, Person, Viewer
from consult.practitioners.views import institutions_by_id, people_by_id
from consult.requests.model import Patient
from consult.requests.views import summaries
from consult.rounds.model import RoundStatus
from consult.rounds.tables import round_institution_table, round_participant_table, round_table
from telemed.kernel.errors import NotFound

MOST_AT_ONCE = 100
#: A closed round stays in the list this long.
SHOWN_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Participant:
    """Somebody who is or was in the round."""

    id: str
    name: str
    joined_at: datetime
    left_at: datetime | None


@dataclass(frozen=True)
class Round:
    """One round; *institution* holds the study, *invited* may send people."""

    id: str
    title: str
    study_instance_uid: str
    institution: Institution
    invited: tuple[Institution, ...]
    patient: Patient
    modalities: tuple[str, ...]
    description: str
    status: RoundStatus
    opened_at: datetime
    opened_by: Person
    closed_at: datetime | None
    participants: tuple[Participant, ...]


def round_of(db: Connection, viewer: Viewer, round_id: str) -> Round:
    """Return one round; NotFound when there is none, or the viewer's institution is not invited."""
    found = _shown(db, db.execute(select(round_table).where(round_table.c.id == round_id, _invited(viewer))).mappings().all())
    if not found:
        raise NotFound("there is no such round", code="round")
    return found[0]


def rounds(db: Connection, viewer: Viewer, now: datetime) -> list[Round]:
    """Return the rounds the viewer may join or lately could, open ones first, the newest first."""
    recent = (round_table.c.status == RoundStatus.OPEN) | (round_table.c.opened_at >= now - SHOWN_FOR)
    order = (round_table.c.status.desc(), round_table.c.opened_at.desc(), round_table.c.id)
    query = select(round_table).where(_invited(viewer), recent).order_by(*order).limit(MOST_AT_ONCE)
    return _shown(db, db.execute(query).mappings().all())


def joinable(institution_id: str) -> ColumnElement[bool]:
    """Return the condition over round_table: open, and this institution is invited."""
    return (round_table.c.status == RoundStatus.OPEN) & _of(institution_id)


def _invited(viewer: Viewer) -> ColumnElement[bool]:
    return _of(viewer.institution_id)


def _of(institution_id: str) -> ColumnElement[bool]:
    theirs = round_institution_table.c.institution_id == institution_id
    return round_table.c.id.in_(select(round_institution_table.c.round_id).where(theirs))


def _shown(db: Connection, rows: Sequence[RowMapping]) -> list[Round]:
    ids = [row["id"] for row in rows]
    invited: dict[str, list[str]] = {}
    for round_id, institution_id in db.execute(
        select(round_institution_table).where(round_institution_table.c.round_id.in_(ids))
    ):
        invited.setdefault(round_id, []).append(institution_id)
    came = round_participant_table.c
    participation = select(round_participant_table).where(came.round_id.in_(ids)).order_by(came.joined_at, came.id)
    present = db.execute(participation).mappings().all()
    places = institutions_by_id(db, {place for some in invited.values() for place in some})
    people = people_by_id(db, {row["opened_by"] for row in rows} | {row["practitioner_id"] for row in present})
    studies = summaries(db, {(row["institution_id"], row["study_instance_uid"]) for row in rows})
    shown = []
    for row in rows:
        study = studies.get((row["institution_id"], row["study_instance_uid"]))
        participants = tuple(
            Participant(one["id"], people[one["practitioner_id"]].name, one["joined_at"], one["left_at"])
            for one in present
            if one["round_id"] == row["id"]
        )
        shown.append(
            Round(
                id=row["id"],
                title=row["title"],
                study_instance_uid=row["study_instance_uid"],
                institution=places[row["institution_id"]],
                invited=tuple(sorted((places[place] for place in invited[row["id"]]), key=lambda place: place.name)),
                patient=study.patient if study else Patient("", "", "", None, None),
                modalities=study.modalities if study else (),
                description=study.description if study else "",
                status=RoundStatus(row["status"]),
                opened_at=row["opened_at"],
                opened_by=people[row["opened_by"]],
                closed_at=row["closed_at"],
                participants=participants,
            )
        )
    return shown
