"""Start a clock, stamp it, move it to another lane or performer."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, insert, select, update

from consult.turnaround.model import Point
from consult.turnaround.tables import turnaround_table


def begin(db: Connection, task_id: str, *, institution: str, performer: str, lane: str, budget: timedelta, t0: datetime) -> None:
    """Start the clock of a task at *t0*: the later of its last instance and its request."""
    row = {"institution": institution, "performer": performer, "lane": lane, "budget_s": int(budget.total_seconds())}
    db.execute(insert(turnaround_table).values(task_id=task_id, t0_at=t0, **row))


def stamp(db: Connection, task_id: str, point: Point, at: datetime) -> bool:
    """Write that *point* was reached at *at*, in the transaction of the deed that reached it; tell whether that moved it.

    The first write wins: a repeated deed moves nothing. T0 is "the later of" by definition: it moves forward while the
    study still arrives, never back, and never once T2 or T3 is set. T2 follows late images until T4.
    """
    column = turnaround_table.c[point.value]
    mine = turnaround_table.c.task_id == task_id
    unset: ColumnElement[bool]
    if point is Point.T0:
        unset = (column < at) & turnaround_table.c.t2_at.is_(None) & turnaround_table.c.t3_at.is_(None)
    elif point is Point.T2:
        unset = (column.is_(None) | (column < at)) & turnaround_table.c.t4_at.is_(None)
    else:
        unset = column.is_(None)
    return db.execute(update(turnaround_table).where(mine, unset).values({column: at})).rowcount == 1


def pause(db: Connection, task_id: str, at: datetime) -> None:
    """Stop the clock of record: the clinic has to answer or to send again. What elapses is still counted beside it."""
    mine = (turnaround_table.c.task_id == task_id) & turnaround_table.c.paused_since.is_(None)
    db.execute(update(turnaround_table).where(mine).values(paused_since=at))


def resume(db: Connection, task_id: str, at: datetime) -> timedelta:
    """Let the clock run on and return how long it had stood, in whole seconds as it is counted; nothing when it ran."""
    mine = turnaround_table.c.task_id == task_id
    since: datetime | None = db.scalar(select(turnaround_table.c.paused_since).where(mine).with_for_update())
    if since is None:
        return timedelta(0)
    stood_s = max(int((at - since).total_seconds()), 0)
    paused_s = turnaround_table.c.paused_s + stood_s
    db.execute(update(turnaround_table).where(mine).values(paused_since=None, paused_s=paused_s))
    return timedelta(seconds=stood_s)


def move(db: Connection, task_id: str, *, performer: str, lane: str, budget: timedelta) -> None:
    """Let the running clock follow its task to another performer or a quicker lane."""
    row = {"performer": performer, "lane": lane, "budget_s": int(budget.total_seconds())}
    db.execute(update(turnaround_table).where(turnaround_table.c.task_id == task_id).values(row))
