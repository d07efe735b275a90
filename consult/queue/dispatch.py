"""Who is next: the hospital that may answer, the doctor who has least to do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select

from consult.practitioners.model import Person, Role
from consult.practitioners.views import agreements_of, practitioners_of
from consult.queue.model import HELD
from consult.queue.tables import task_table
from consult.requests.model import HOUSE_ZONE


def next_hospital(db: Connection, institution_id: str, service: Role, *, beside: Collection[str], now: datetime) -> str | None:
    """Return the first hospital whose agreement with *institution_id* covers *service* today, none of those *beside*."""
    today = now.astimezone(HOUSE_ZONE).date()
    covering = (held.performer_id for held in agreements_of(db, institution_id) if held.covers(today, service))
    return next((performer for performer in covering if performer not in beside), None)


def next_doctor(db: Connection, hospital_id: str, service: Role, *, beside: str | None) -> Person | None:
    """Return who of the hospital's specialists holds the fewest tasks, not the person *beside*; None when there is nobody."""
    theirs = (task_table.c.performer_id == hospital_id) & task_table.c.status.in_(HELD)
    query = select(task_table.c.owner_id, func.count().label("tasks")).where(theirs).group_by(task_table.c.owner_id)
    load = {row.owner_id: row.tasks for row in db.execute(query)}
    able = [one for one in practitioners_of(db, hospital_id) if service in one.roles and one.id != beside]
    found = min(able, key=lambda one: (load.get(one.id, 0), one.id), default=None)
    return None if found is None else Person(found.id, found.name)


def coordinators(db: Connection, hospital_id: str) -> list[Person]:
    """Return the hospital's coordinators."""
    return [Person(one.id, one.name) for one in practitioners_of(db, hospital_id) if Role.COORDINATOR in one.roles]
