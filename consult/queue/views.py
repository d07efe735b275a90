"""The queue as each person may see it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, false, or_, select

from consult.practitioners.model import Institution, Person, Role, Viewer
from consult.practitioners.views import institutions_by_id, people_by_id
from consult.queue.candidates import readers_there
from consult.queue.dispatch import Verdict
from consult.queue.forecast import Forecast, forecast
from consult.queue.model import OPEN, RUNNING, Stage, TaskStatus
from consult.queue.tables import blind_table, question_table, task_table
from consult.requests.model import Kind, Lane, Patient, Priority
from consult.requests.views import summaries
from consult.triage.model import Why, standing
from telemed.kernel.errors import Invalid, NotFound

MOST_AT_ONCE = 200
#: What stands behind so many others is not forecast: nobody would believe it.
MOST_FORECAST = 500

READERS = frozenset({Role.RADIOLOGIST, Role.CARDIOLOGIST})

#: Shown where the archive no longer, or not yet, holds the study of a task.
NOBODY = Patient("", "", "", None, None)


@dataclass(frozen=True)
class Question:
    """What a reader asked the clinic, and its answer when there is one; *asked_by* is None to whoever is `blind`."""

    question: str
    asked_by: Person | None
    asked_at: datetime
    answer: str | None
    answered_by: Person | None
    answered_at: datetime | None


@dataclass(frozen=True)
class Task:
    """One consultation in the queue; *institution* asks, *performer* answers, *owner* holds it.

    *stage* is the reading that is awaited, or was the last. *assigned* is whom dispatch chose and *dispatch* what it thought
    of everybody; *why* tells what raised the priority, *standing* where that puts the task in the queue, which is in the
    order of *begin_by*. *question* is what the clinic has to answer while the task is on hold, *escalated* how many rungs are
    climbed. *blind* tells that its viewer must not learn who has read it: see `blind`; *read_before* that they have read it
    themselves, so that what is still to be read of it needs another.
    """

    id: str
    status: TaskStatus
    priority: Priority
    lane: Lane
    kind: Kind
    specialty: Role
    stage: Stage
    owner: Person | None
    assigned: Person | None
    dispatch: tuple[Verdict, ...]
    institution: Institution
    performer: Institution
    patient: Patient
    study_instance_uid: str
    modalities: tuple[str, ...]
    description: str
    reason: str
    instance_count: int
    placed_at: datetime
    due_at: datetime
    begin_by: datetime
    claimed_at: datetime | None
    lease_until: datetime | None
    question: Question | None
    escalated: int
    breached_at: datetime | None
    completed_at: datetime | None
    why: tuple[Why, ...]
    standing: tuple[Why, ...]
    report_id: str | None
    request_id: str
    budget_s: int
    blind: bool
    read_before: bool


@dataclass(frozen=True)
class Page:
    """Some of a list; *next* is the cursor of the rest, None at the end."""

    items: tuple[Task, ...]
    next: str | None


def task(db: Connection, viewer: Viewer, task_id: str) -> Task:
    """Return one task; NotFound when there is none, or it is not for this viewer to see."""
    row = db.execute(select(task_table).where(task_table.c.id == task_id, visible(viewer))).mappings().first()
    if row is None:
        raise NotFound("there is no such task", code="task")
    return _shown(db, viewer, [row])[0]


def queue(
    db: Connection,
    viewer: Viewer,
    *,
    status: Collection[TaskStatus] | None = None,
    lane: Lane | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Return the tasks the viewer may see, most urgent first: by when they should be begun, then id.

    No *status* means the open ones. Raises Invalid for a cursor that is not ours.
    """
    limit = max(1, min(limit, MOST_AT_ONCE))
    status = OPEN if status is None else status
    wanted: ColumnElement[bool] = task_table.c.status.in_(status)
    if set(status) <= set(OPEN):  # says to the database which indexes serve
        wanted &= task_table.c.open_key.is_not(None)
    if lane is not None:
        wanted &= task_table.c.lane == lane
    if cursor is not None:
        wanted &= _beyond(cursor)
    # Each side comes in the order of its index; the first of all are among the first of each.
    first = select(task_table).where(wanted).order_by(task_table.c.begin_by, task_table.c.id).limit(limit + 1)
    found = {row["id"]: row for side in _sides(viewer) for row in db.execute(first.where(side)).mappings()}
    rows = sorted(found.values(), key=lambda row: (row["begin_by"], row["id"]))
    kept = rows[:limit]
    return Page(tuple(_shown(db, viewer, kept)), _cursor(kept[-1]) if len(rows) > limit else None)


def forecasts(db: Connection, performer_id: str, specialty: Role, now: datetime) -> dict[str, Forecast]:
    """Return what is to be expected of each running task of one hospital's queue, by its id, for the first MOST_FORECAST."""
    rows = db.execute(
        select(task_table)
        .where(task_table.c.performer_id == performer_id, task_table.c.specialty == specialty, task_table.c.status.in_(RUNNING))
        .order_by(task_table.c.begin_by, task_table.c.id)
        .limit(MOST_FORECAST)
    ).all()
    there: dict[str, int] = {}
    found: dict[str, Forecast] = {}
    before = [timedelta(seconds=row.reading_s) / 2 for row in rows if row.claimed_at]
    for row in rows:
        if row.lane not in there:
            there[row.lane] = readers_there(db, performer_id, specialty, Lane(row.lane), now)
        reading = timedelta(seconds=row.reading_s)
        expected = forecast(now, row.due_at, reading, before=before, readers=there[row.lane], begun_at=row.claimed_at)
        if expected is not None:
            found[row.id] = expected
        if row.claimed_at is None:
            before.append(reading)
    return found


def forecast_of(db: Connection, viewer: Viewer, task_id: str, now: datetime) -> Forecast | None:
    """Return when the answer to a task is to be expected; None while nobody can tell, or none is awaited."""
    shown = task(db, viewer, task_id)
    return forecasts(db, shown.performer.id, shown.specialty, now).get(task_id)


def questions(db: Connection, viewer: Viewer, task_id: str) -> tuple[Question, ...]:
    """Return what was asked and answered about a task, the oldest first; NotFound where the task is not to be seen."""
    shown = task(db, viewer, task_id)
    asked = (one for _, one in _questions(db, question_table.c.task_id == task_id))
    return tuple(_anonymous(one, viewer) if shown.blind else one for one in asked)


def tasks_of_studies(db: Connection, viewer: Viewer, study_instance_uids: Collection[str]) -> dict[tuple[str, str], Task]:
    """Return the newest task of each study by (institution id, StudyInstanceUID), of those the viewer may see."""
    mine = task_table.c.study_instance_uid.in_(study_instance_uids) & visible(viewer)
    order = (task_table.c.placed_at, task_table.c.id)
    rows = db.execute(select(task_table).where(mine).order_by(*order)).mappings().all()
    newest = {(row["institution_id"], row["study_instance_uid"]): row for row in rows}
    return {(task.institution.id, task.study_instance_uid): task for task in _shown(db, viewer, list(newest.values()))}


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition over task_table that says what *viewer* may see.

    A clinic sees what it asked for, a specialist what their hospital was asked in their specialty, a coordinator both
    sides of their institution. The regulator and the administrator see figures, never patients.
    """
    return or_(false(), *_sides(viewer))


def blind(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition over task_table for the tasks of which *viewer* must not learn who has read them, nor what they wrote.

    While a second reading is awaited that is everybody but the clinic that asked; afterwards whoever reviews the report, until
    they have scored it. This is the one rule: every door that names a reader, or gives out what one wrote, asks it.
    """
    reviewing = select(blind_table.c.task_id).where(
        blind_table.c.task_id == task_table.c.id, blind_table.c.practitioner_id == viewer.practitioner_id
    )
    home = viewer.institution_id
    colleague = (task_table.c.performer_id == home) | (task_table.c.institution_id != home)
    return ((task_table.c.stage == Stage.SECOND) & colleague) | reviewing.exists()


def blind_to_somebody(db: Connection, task_ids: Collection[str]) -> frozenset[str]:
    """Return those of *task_ids* to which anybody is `blind`, so that news for many at once names no reader of them."""
    reviewed = select(blind_table.c.task_id).where(blind_table.c.task_id == task_table.c.id).exists()
    somebody = (task_table.c.stage == Stage.SECOND) | reviewed
    return frozenset(db.scalars(select(task_table.c.id).where(task_table.c.id.in_(task_ids), somebody)))


def _sides(viewer: Viewer) -> list[ColumnElement[bool]]:
    """Return the conditions of which `visible` needs one, each of a kind that an index finds in the queue's order."""
    task, home = task_table.c, viewer.institution_id
    sides: list[ColumnElement[bool]] = []
    if viewer.roles & {Role.CLINIC, Role.COORDINATOR}:
        sides.append(task.institution_id == home)
    specialties = viewer.roles & READERS
    seen = READERS if Role.COORDINATOR in viewer.roles else specialties
    sides += [(task.performer_id == home) & (task.specialty == specialty) for specialty in sorted(seen)]
    if specialties:
        sides.append((task.performer_id == home) & (task.owner_id == viewer.practitioner_id))
    return sides


def _shown(db: Connection, viewer: Viewer, rows: Sequence[RowMapping]) -> list[Task]:
    """Fill in what other tables know, in a fixed number of queries however many the rows."""
    places = institutions_by_id(db, {row[side] for row in rows for side in ("institution_id", "performer_id")})
    people = people_by_id(db, {row[who] for row in rows for who in ("owner_id", "assigned_id") if row[who]})
    studies = summaries(db, {(row["institution_id"], row["study_instance_uid"]) for row in rows})
    held = {row["id"] for row in rows if row["status"] == TaskStatus.ON_HOLD}
    asked = dict(_questions(db, question_table.c.task_id.in_(held) & question_table.c.answered_at.is_(None))) if held else {}
    unseen = set(db.scalars(select(task_table.c.id).where(task_table.c.id.in_([row["id"] for row in rows]), blind(viewer))))
    shown = []
    for row in rows:
        study = studies.get((row["institution_id"], row["study_instance_uid"]))
        is_blind = row["id"] in unseen
        # Who holds an open task reads it next, which is no secret; who holds one that is done has signed it.
        named = {} if is_blind and row["status"] not in OPEN else people
        shown.append(
            Task(
                id=row["id"],
                status=TaskStatus(row["status"]),
                priority=Priority(row["priority"]),
                lane=Lane(row["lane"]),
                kind=Kind(row["kind"]),
                specialty=Role(row["specialty"]),
                stage=Stage(row["stage"]),
                owner=named.get(row["owner_id"]),
                assigned=named.get(row["assigned_id"]),
                dispatch=() if is_blind else tuple(Verdict.of(stored) for stored in row["dispatch"]),
                institution=places[row["institution_id"]],
                performer=places[row["performer_id"]],
                patient=study.patient if study else NOBODY,
                study_instance_uid=row["study_instance_uid"],
                modalities=study.modalities if study else (),
                description=study.description if study else "",
                reason=row["reason"],
                instance_count=study.instance_count if study else 0,
                placed_at=row["placed_at"],
                due_at=row["due_at"],
                begin_by=row["begin_by"],
                claimed_at=row["claimed_at"],
                lease_until=row["lease_until"],
                question=asked.get(row["id"]),
                escalated=row["escalated"],
                breached_at=row["breached_at"],
                completed_at=row["completed_at"],
                why=tuple(Why.of(stored) for stored in row["why"]),
                standing=standing(Priority(row["priority"]), row["due_at"], timedelta(seconds=row["reading_s"])),
                report_id=row["report_id"],
                request_id=row["request_id"],
                budget_s=row["budget_s"],
                blind=is_blind,
                read_before=viewer.practitioner_id in row["barred"],
            )
        )
    return shown


def _anonymous(asked: Question, viewer: Viewer) -> Question:
    """Return a question without its asker: what the clinic was asked and answered belongs to the patient's history."""
    own = asked.asked_by is not None and asked.asked_by.id == viewer.practitioner_id
    return asked if own else replace(asked, asked_by=None)


def _questions(db: Connection, wanted: ColumnElement[bool]) -> list[tuple[str, Question]]:
    rows = db.execute(select(question_table).where(wanted).order_by(question_table.c.asked_at, question_table.c.id)).all()
    people = people_by_id(db, {id_ for row in rows for id_ in (row.asked_by, row.answered_by) if id_})
    return [
        (
            row.task_id,
            Question(
                question=row.question,
                asked_by=people[row.asked_by],
                asked_at=row.asked_at,
                answer=row.answer,
                answered_by=people.get(row.answered_by),
                answered_at=row.answered_at,
            ),
        )
        for row in rows
    ]


def _cursor(row: RowMapping) -> str:
    place = json.dumps([row["begin_by"].isoformat(), row["id"]])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _beyond(cursor: str) -> ColumnElement[bool]:
    try:
        begin, id_ = json.loads(base64.urlsafe_b64decode(cursor[:200] + "=" * (-len(cursor) % 4)))
        begin_by, id_ = datetime.fromisoformat(begin).astimezone(UTC), str(id_)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        raise Invalid("this cursor is not one of ours: begin the list again without it", code="cursor") from None
    later = (task_table.c.begin_by > begin_by) | (task_table.c.id > id_)
    return (task_table.c.begin_by >= begin_by) & later
