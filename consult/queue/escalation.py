"""What time does to a task: claims that are not renewed end, and unanswered tasks climb the ladder.

A claim of whatever is `Leased` ends in the same way, the regions of one study among it.

Each function does a little in the caller's transaction, to rows that it holds until that ends: of two servers that look at
one database at the same moment each takes what the other has not taken. A restart catches up, because every moment is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Table, select, update

from consult.practitioners.model import SYSTEM, Role
from consult.practitioners.views import duty_phone, institution
from consult.queue.actions import assigned, enter, enter_all, need_of
from consult.queue.candidates import assign, coordinators
from consult.queue.forecast import LIKELY
from consult.queue.model import LEASED, RUNNING, TaskStatus
from consult.queue.sla import LADDER, Rung, climbs_at
from consult.queue.tables import task_table
from consult.queue.views import forecasts
from consult.triage.model import Why
from consult.turnaround import actions as turnaround
from ecg.analysis import Text
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.events import event_table

#: What is due later than this is not foretold to be late: the queue will have changed.
FORETOLD_WITHIN = timedelta(minutes=60)
#: So many claims end, or are told of, in one transaction: what waits for their rows waits no longer than a moment.
AT_ONCE = 50
_FORETOLD = event_table.c.type == "LatenessForecast"


@dataclass(frozen=True)
class Leased:
    """What somebody holds for the time of a LEASE, which they renew: rows of *table* that are in one of the states *held*.

    *waiting* is what such a row becomes when its `lease_until` is over, and *tell* says of many to the log that they did.
    """

    table: Table
    held: Collection[str]
    waiting: Mapping[str, str | None]
    tell: Callable[[Connection, Chronicle, Sequence[RowMapping]], None]

    def ended(self, now: datetime) -> ColumnElement[bool]:
        """Return the condition for what was not renewed in time."""
        return self.table.c.status.in_(self.held) & (self.table.c.lease_until <= now)


def _tell_of_tasks(db: Connection, chronicle: Chronicle, found: Sequence[RowMapping]) -> None:
    news = {one["id"]: {"cause": "lease", "owner": one["owner_id"]} for one in found}
    enter_all(db, chronicle, "TaskReleased", news, SYSTEM)


TASKS = Leased(
    task_table,
    LEASED,
    {"status": TaskStatus.REQUESTED, "owner_id": None, "claimed_at": None, "lease_until": None},
    _tell_of_tasks,
)


def is_due(db: Connection, now: datetime, leased: Collection[Leased]) -> bool:
    """Tell, without a lock, whether `climb` or `end_leases` of *leased* has something to do."""
    due = [(task_table, _climbing(now)), *((one.table, one.ended(now)) for one in leased)]
    return any(db.execute(select(table.c.id).where(wanted).limit(1)).first() is not None for table, wanted in due)


def end_leases(db: Connection, chronicle: Chronicle, by: datetime, leased: Leased) -> bool:
    """Give back what of *leased* was not renewed *by* then; tell whether there was something. What was written stays."""
    of = leased.table.c
    ended = select(leased.table).where(leased.ended(by)).order_by(of.lease_until)
    found = db.execute(ended.limit(AT_ONCE).with_for_update(skip_locked=True)).mappings().all()
    if found:
        db.execute(update(leased.table).where(of.id.in_([one["id"] for one in found])).values(leased.waiting))
        leased.tell(db, chronicle, found)
    return bool(found)


def climb(db: Connection, chronicle: Chronicle, by: datetime) -> bool:
    """Take the task whose next rung was due first, and *by* then, one rung up; tell whether there was one.

    A task that nobody holds moves to the next hospital that may answer, one that is held stays with its reader while
    others are told. The rung, like the breach, is dated by the moment it was due, not by the moment we noticed.
    """
    climbing = select(task_table).where(_climbing(by)).order_by(task_table.c.escalate_at)
    found = db.execute(climbing.limit(1).with_for_update(skip_locked=True)).first()
    if found is None:
        return False
    share, rung = LADDER[found.escalated]
    climbed, budget = found.escalated + 1, timedelta(seconds=found.budget_s)
    values, news = _RUNGS[rung](db, found, chronicle.clock.now())
    values |= {"escalated": climbed, "escalate_at": climbs_at(found.due_at, budget, climbed)}
    db.execute(update(task_table).where(task_table.c.id == found.id).values(values))
    if "performer_id" in values:
        turnaround.move(db, found.id, performer=values["performer_id"], lane=found.lane, budget=budget)
    news |= {"rung": rung, "share": share, "climbed_at": rfc3339(found.escalate_at)}
    enter(db, chronicle, "TaskEscalated", found.id, SYSTEM, **news)
    if rung is Rung.DUTY_PHONE:
        enter(db, chronicle, "SlaBreached", found.id, SYSTEM, breached_at=rfc3339(found.due_at))
    return True


def foretell(db: Connection, chronicle: Chronicle) -> bool:
    """Tell the coordinators of the tasks of one queue that will likely come late, once each, while there is time.

    Tell whether there was one: then there may be more, and other queues.
    """
    now = chronicle.clock.now()
    waiting = (task_table.c.status == TaskStatus.REQUESTED) & task_table.c.breached_at.is_(None)
    queues = select(task_table.c.performer_id, task_table.c.specialty).where(waiting, task_table.c.due_at < now + FORETOLD_WITHIN)
    for performer_id, specialty in db.execute(queues.distinct()).all():
        found = forecasts(db, performer_id, Role(specialty), now)
        likely = [id_ for id_, expected in found.items() if expected.late >= LIKELY]
        foretold = set(db.scalars(select(event_table.c.subject).where(event_table.c.subject.in_(likely), _FORETOLD)))
        rows = select(task_table.c.id).where(task_table.c.id.in_(set(likely) - foretold), waiting).order_by(task_table.c.due_at)
        held = db.scalars(rows.limit(AT_ONCE).with_for_update(skip_locked=True)).all()
        meanwhile = set(db.scalars(select(event_table.c.subject).where(event_table.c.subject.in_(held), _FORETOLD)))
        untold = [id_ for id_ in held if id_ not in meanwhile]
        if untold:
            told = [asdict(one) for one in coordinators(db, performer_id)]
            news = {id_: {"to": told, "late": found[id_].late, "expected_at": rfc3339(found[id_].expected_at)} for id_ in untold}
            enter_all(db, chronicle, "LatenessForecast", news, SYSTEM)
            return True
    return False


#: The columns a rung changes, and what its event says.
_Climbed = tuple[dict[str, Any], dict[str, Any]]


def _to_next_doctor(db: Connection, found: Row[Any], now: datetime) -> _Climbed:
    passed = [one for one in (found.owner_id or found.assigned_id,) if one]
    choice = assign(db, need_of(db, found, now, beside=passed), within=found.performer_id)
    if choice.person is None:
        return {}, {"to": []}
    return {} if found.owner_id else assigned(choice), {"to": [asdict(choice.person)]}


def _to_next_hospital(db: Connection, found: Row[Any], now: datetime) -> _Climbed:
    tried = {found.performer_id, *found.declined_by}
    choice = assign(db, need_of(db, found, now, tried=tried)) if found.status == TaskStatus.REQUESTED else None
    if choice is None or choice.performer_id is None:
        return {}, {"to": [asdict(one) for one in coordinators(db, found.performer_id)]}
    name = institution(db, choice.performer_id)
    moved = Why(
        "escalated", Text(f"时限已过四分之三，转至{name.name}", f"three quarters of the time are gone: moved to {name.name_en}")
    )
    return (
        {"performer_id": choice.performer_id, "why": [*found.why, asdict(moved)], **assigned(choice)},
        {"to": [asdict(choice.person)] if choice.person else [], "moved_to": choice.performer_id, "left": found.performer_id},
    )


def _to_duty_phone(db: Connection, found: Row[Any], _: datetime) -> _Climbed:
    told = [asdict(one) for one in coordinators(db, found.performer_id)]
    return {"breached_at": found.due_at}, {"to": told, "phone": duty_phone(db, found.performer_id)}


_RUNGS = {Rung.NEXT_DOCTOR: _to_next_doctor, Rung.NEXT_HOSPITAL: _to_next_hospital, Rung.DUTY_PHONE: _to_duty_phone}


def _climbing(now: datetime) -> ColumnElement[bool]:
    return task_table.c.status.in_(RUNNING) & (task_table.c.escalate_at <= now)
