"""Which tasks are read twice, and what was written by whom: withheld from whoever has still to read blind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, or_, select

from consult.practitioners.model import Person, Role, Viewer
from consult.practitioners.views import agreements_of, people_by_id, practitioner
from consult.queue.model import OPEN, Stage, TaskStatus
from consult.queue.views import READERS, Task
from consult.queue.views import task as task_of
from consult.readings.model import Protocol, Radpeer, ReadingComparison, ReadingRule, SignedReading, protocol_of
from consult.readings.tables import comparison_table, reading_table, rule_table
from consult.reports.model import KeyImage
from consult.requests.model import HOUSE_ZONE, Kind, Lane

#: These come after a first reading that a second one followed.
_TWICE = frozenset({Stage.SECOND, Stage.COMPARISON, Stage.ARBITRATION})
#: Once these are reached both readings are signed, or there is nothing to be blind to.
_SEEING = frozenset({Stage.COMPARISON, Stage.ARBITRATION, Stage.OVER_READ})


@dataclass(frozen=True)
class SecondAsked:
    """That somebody asked for one task to be read twice; *by* is None where it was not kept, and to whoever is `blind`."""

    by: Person | None
    at: datetime


@dataclass(frozen=True)
class Shown:
    """The readings of one task that its viewer may see, in their order, and how they compared once somebody has said so.

    *twice* tells that it is, or was, read by two: by a rule, or because it was *asked*.
    """

    stage: Stage
    twice: bool
    asked: SecondAsked | None
    items: tuple[SignedReading, ...]
    comparison: ReadingComparison | None


def readings(db: Connection, viewer: Viewer, task_id: str, now: datetime) -> Shown:
    """Return what was signed of a task before its report was final.

    One's own is always shown. What a colleague wrote is shown to whoever has signed their own reading or holds the task at a
    stage that needs no blindness, and to every reader of the hospital once the task is done, but to whoever reviews the report
    blind; never to the clinic, which has the report. NotFound as `queue.views.task`.
    """
    task = task_of(db, viewer, task_id)
    found = readings_of(db, task_id)
    all_shown = may_see_all(task, found, viewer)
    row = db.execute(select(comparison_table).where(comparison_table.c.task_id == task_id)).first()
    return Shown(
        task.stage,
        task.stage in _TWICE or (task.stage is Stage.FIRST and task.status in OPEN and _is_double(db, task, now)),
        _asked(db, viewer, task),
        tuple(one for one in found if all_shown or one.reader.id == viewer.practitioner_id),
        _comparison(db, row) if row is not None and all_shown else None,
    )


def may_see_all(task: Task, found: tuple[SignedReading, ...], viewer: Viewer) -> bool:
    """Tell whether *viewer* may see what others wrote of *task*."""
    if viewer.institution_id != task.performer.id or not viewer.roles & READERS or task.blind:
        return False
    if task.status is TaskStatus.COMPLETED:
        return True
    holds = task.owner is not None and task.owner.id == viewer.practitioner_id
    return task.stage in _SEEING and (holds or any(one.reader.id == viewer.practitioner_id for one in found))


def readings_of(db: Connection, task_id: str) -> tuple[SignedReading, ...]:
    """Return every reading of a task before the final one, the first first, whoever asks."""
    query = select(reading_table).where(reading_table.c.task_id == task_id).order_by(reading_table.c.signed_at)
    return tuple(_reading(row) for row in db.execute(query).mappings())


def protocol(db: Connection, viewer: Viewer, task: Task, at: datetime) -> Protocol:
    """Return how many are to read *task* if *viewer* is the first."""
    in_training = practitioner(db, viewer.practitioner_id).qualification.in_training
    return protocol_of(double=_is_double(db, task, at), in_training=in_training)


def rules(db: Connection) -> tuple[ReadingRule, ...]:
    """Return the standing rules, the oldest first; those for one task stand with their task."""
    query = select(rule_table).where(rule_table.c.task_id.is_(None)).order_by(rule_table.c.made_at, rule_table.c.id)
    return tuple(map(rule_from, db.execute(query)))


def rule_from(row: Row[Any]) -> ReadingRule:
    """Build a ReadingRule from a row of rule_table."""
    specialty, lane = row.specialty and Role(row.specialty), row.lane and Lane(row.lane)
    return ReadingRule(row.id, row.agreement_id, specialty, lane, row.task_id)


def _is_double(db: Connection, task: Task, at: datetime) -> bool:
    day = at.astimezone(HOUSE_ZONE).date()
    held = agreements_of(db, task.institution.id)
    mine = {one.id for one in held if one.performer_id == task.performer.id and one.covers(day, task.specialty)}
    any_task = or_(rule_table.c.task_id.is_(None), rule_table.c.task_id == task.id)
    return any(
        rule_from(row).applies(agreements=mine, specialty=task.specialty, lane=task.lane, task_id=task.id)
        for row in db.execute(select(rule_table).where(any_task))
    )


def _asked(db: Connection, viewer: Viewer, task: Task) -> SecondAsked | None:
    row = db.execute(select(rule_table).where(rule_table.c.task_id == task.id).order_by(rule_table.c.made_at)).first()
    if row is None:
        return None
    # Whoever reads first may be who asked.
    known = row.made_by is not None and (not task.blind or row.made_by == viewer.practitioner_id)
    return SecondAsked(people_by_id(db, {row.made_by})[row.made_by] if known else None, row.made_at)


def _reading(row: RowMapping) -> SignedReading:
    return SignedReading(
        id=row["id"],
        task_id=row["task_id"],
        stage=Stage(row["stage"]),
        reader=Person(row["reader_id"], row["reader_name"]),
        findings=row["findings"],
        impression=row["impression"],
        kind=Kind(row["kind"]),
        critical=row["critical"],
        key_images=tuple(KeyImage(**image) for image in row["key_images"]),
        signed_at=row["signed_at"],
        content_sha256=row["content_sha256"],
    )


def _comparison(db: Connection, row: Row[Any]) -> ReadingComparison:
    people = people_by_id(db, {row.author_id, row.by_id})
    score, sides = Radpeer(row.score), (people[row.author_id], people[row.by_id])
    return ReadingComparison(row.task_id, score, row.comment, *sides, row.at, row.concordant)
