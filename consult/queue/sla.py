"""Deadlines, and the watch that sees them pass."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from consult.queue.model import OPEN
from consult.queue.tables import task_table
from consult.requests.model import Lane
from consult.triage.model import TARGETS
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.database import Database
from telemed.kernel.watch import Watch


def deadline_of(
    lane: Lane, t0: datetime, *, wanted_by: datetime | None = None, targets: Mapping[Lane, timedelta] = TARGETS
) -> datetime:
    """Return when an answer is due: T0 plus the lane's target, or the date a dated lane was given."""
    return t0 + targets[lane] if wanted_by is None else max(t0, wanted_by)


def mark_next_breach(db: Connection, chronicle: Chronicle) -> bool:
    """Mark the oldest overdue task as breached; tell whether there was one.

    The breach is dated by its deadline, not by the moment we noticed.
    """
    overdue = _overdue(chronicle.clock.now())
    found = db.execute(select(task_table).where(overdue).order_by(task_table.c.due_at).limit(1)).first()
    if found is None:
        return False
    mark = update(task_table).where(task_table.c.id == found.id, overdue).values(breached_at=found.due_at)
    if db.execute(mark).rowcount == 1:
        data = {
            "task_id": found.id,
            "study_instance_uid": found.study_instance_uid,
            "institution": found.institution_id,
            "performer": found.performer_id,
            "specialty": found.specialty,
            "lane": found.lane,
            "breached_at": rfc3339(found.due_at),
        }
        chronicle.enter(db, "SlaBreached", found.id, data, actor="system", institution="", entity="Task")
    return True


def _overdue(now: datetime) -> ColumnElement[bool]:
    return task_table.c.breached_at.is_(None) & task_table.c.status.in_(OPEN) & (task_table.c.due_at <= now)


class SlaWatch(Watch):
    """A thread that looks for passed deadlines; a restart catches up, because the deadline is stored."""

    def __init__(self, database: Database, chronicle: Chronicle, *, look_every_s: float = 1) -> None:
        """Watch the tasks of *database*; nothing runs before start()."""
        super().__init__("sla-watch", self.look, every_s=look_every_s)
        self._database = database
        self._chronicle = chronicle

    def look(self) -> int:
        """Mark everything that is overdue now, each in its own short transaction; return how many there were."""
        marked = 0
        while self._is_any_overdue():
            with self._database.transaction() as db:
                marked += mark_next_breach(db, self._chronicle)
        return marked

    def _is_any_overdue(self) -> bool:
        """Ask without writing, so that a quiet second takes no lock."""
        with self._database.reading() as db:
            return db.execute(select(task_table.c.id).where(_overdue(self._chronicle.clock.now())).limit(1)).first() is not None
