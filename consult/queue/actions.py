"""What may be done with a task. Each verb changes the row under the condition it has just checked, so that exactly one wins.

The row comes first and the log after it, everywhere: two transactions that took them in opposite order would wait for
each other for ever on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from consult.practitioners.model import SYSTEM, Role, Viewer
from consult.practitioners.views import agreements_of, people_by_id, practitioner
from consult.queue.model import HELD, OPEN, Declined, TaskEvent, TaskStatus, status_after
from consult.queue.tables import task_table
from consult.queue.views import Task, visible
from consult.queue.views import task as task_of
from consult.requests import actions as requests
from consult.requests.model import HOUSE_ZONE, ServiceRequest
from consult.triage.model import Urgency, Why
from consult.turnaround import actions as turnaround
from consult.turnaround.model import Point
from ecg.analysis import Text
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

LONGEST_REASON = 2000


def create(
    db: Connection,
    chronicle: Chronicle,
    request: ServiceRequest,
    urgency: Urgency,
    *,
    specialty: Role,
    t0: datetime,
    due_at: datetime,
    instance_count: int,
    by: Viewer,
) -> str:
    """Put *request* into its performer's queue, start its clock at *t0*, and return the task's id.

    *instance_count* is what the study held by then: what exceeds it later comes late.

    Raises Conflict when the study already has an open task: two may arrive at the same instant, one is made.
    """
    id_, budget = new_id(), due_at - t0
    row = {
        "id": id_,
        "request_id": request.id,
        "institution_id": request.institution_id,
        "performer_id": request.performer_id,
        "study_instance_uid": request.study_instance_uid,
        "open_key": f"{request.institution_id}/{request.study_instance_uid}",
        "specialty": specialty,
        "kind": request.kind,
        "status": TaskStatus.REQUESTED,
        "priority": urgency.priority,
        "priority_rank": urgency.priority.rank,
        "lane": urgency.lane,
        "reason": request.reason,
        "why": [asdict(why) for why in urgency.why],
        "declined_by": [],
        "placed_at": request.placed_at,
        "budget_s": int(budget.total_seconds()),
        "due_at": due_at,
        "instance_count": instance_count,
    }
    try:
        with db.begin_nested():
            db.execute(insert(task_table).values(row))
    except IntegrityError:
        raise Conflict("this study already waits for an answer", code="task-open") from None
    sides = {"institution": request.institution_id, "performer": request.performer_id}
    turnaround.begin(db, id_, **sides, lane=urgency.lane, budget=budget, t0=t0)
    _enter(db, chronicle, "TaskRequested", _row(db, id_), by)
    return id_


def claim(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Take a waiting task; of two who do so at one instant exactly one wins (T3).

    Claiming again what one already holds changes nothing. Raises Conflict naming who has it, Refused for the wrong
    specialty or hospital, NotFound for what the viewer may not see.
    """
    found = _seen(db, task_id, by)
    if found.status in HELD and found.owner_id == by.practitioner_id:
        return task_of(db, by, task_id)
    _fitting(found, by)
    now = chronicle.clock.now()
    waiting = (task_table.c.id == task_id) & (task_table.c.status == TaskStatus.REQUESTED)
    values = {"status": TaskStatus.ACCEPTED, "owner_id": by.practitioner_id, "claimed_at": now}
    if db.execute(update(task_table).where(waiting).values(values)).rowcount == 0:
        raise _taken(db, _row(db, task_id))
    turnaround.stamp(db, task_id, Point.T3, now)
    _enter(db, chronicle, "TaskClaimed", _row(db, task_id), by, owner=by.practitioner_id, owner_name=by.name)
    return task_of(db, by, task_id)


def release(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Put a held task back into the queue; its owner may, or a coordinator of the hospital."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by, or_coordinator=True)
    _change(db, found, TaskEvent.RELEASE, owner_id=None, claimed_at=None)
    _enter(db, chronicle, "TaskReleased", _row(db, task_id), by)
    return task_of(db, by, task_id)


def start(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Begin to read a claimed task; starting again what one has started changes nothing."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    if found.status != TaskStatus.IN_PROGRESS:
        _change(db, found, TaskEvent.START)
        _enter(db, chronicle, "TaskStarted", _row(db, task_id), by)
    return task_of(db, by, task_id)


def decline(db: Connection, chronicle: Chronicle, task_id: str, *, code: Declined, reason: str, by: Viewer) -> None:
    """Refuse a task with a coded reason: the clinic hears it at once, and the task is dispatched again.

    It goes to the next hospital whose agreement covers it and that has not declined; where there is none, back into the
    same hospital's queue. Returns nothing: it may be out of the viewer's sight now.
    """
    found = _seen(db, task_id, by)
    if found.status in HELD:
        _held_by(db, found, by)
    else:
        _fitting(found, by)
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid(f"say why in 1 to {LONGEST_REASON} characters: the clinic reads it", code="reason-missing")
    declined_by = [*found.declined_by, found.performer_id]
    performer_id = _next_performer(db, found, declined_by, chronicle.clock.now())
    why = [*found.why, asdict(Why(f"declined:{code}", Text(f"曾被退回：{reason}", f"declined before: {reason}")))]
    moved = {"performer_id": performer_id, "declined_by": declined_by, "why": why}
    _change(db, found, TaskEvent.DECLINE, owner_id=None, claimed_at=None, **moved)
    budget = timedelta(seconds=found.budget_s)
    turnaround.move(db, task_id, performer=performer_id, lane=found.lane, budget=budget)
    news = {"code": code, "reason": reason, "declined_by": found.performer_id}
    _enter(db, chronicle, "TaskDeclined", _row(db, task_id), by, **news)


def handover(db: Connection, chronicle: Chronicle, task_id: str, *, to: str, by: Viewer) -> Task:
    """Give a held task to *to*, a specialist of the same hospital and specialty; the owner may, or a coordinator."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by, or_coordinator=True)
    heir = practitioner(db, to)
    if heir.institution.id != found.performer_id or Role(found.specialty) not in heir.roles:
        raise Refused(f"{heir.name} is no {found.specialty} of this hospital", code="specialty")
    now = chronicle.clock.now()
    _change(db, found, TaskEvent.HANDOVER, owner_id=heir.id, claimed_at=now)
    news = {"owner": heir.id, "owner_name": heir.name, "from": found.owner_id}
    _enter(db, chronicle, "TaskHandedOver", _row(db, task_id), by, **news)
    return task_of(db, by, task_id)


def complete(db: Connection, chronicle: Chronicle, task_id: str, *, report_id: str, by: Viewer) -> None:
    """Close a task with its signed report (T4), and its request with it. The event is the report's: `ReportSigned`."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    now = chronicle.clock.now()
    _change(db, found, TaskEvent.SIGN, report_id=report_id, completed_at=now, open_key=None)
    requests.fulfil(db, found.request_id)
    turnaround.stamp(db, task_id, Point.T4, now)


def cancel(db: Connection, chronicle: Chronicle, task_id: str, *, reason: str, by: Viewer) -> None:
    """Withdraw a task that nobody reads yet, and its request; only the institution that asked may."""
    found = _seen(db, task_id, by)
    if by.institution_id != found.institution_id:
        raise Refused("only the institution that asked may withdraw its request")
    _change(db, found, TaskEvent.CANCEL, completed_at=chronicle.clock.now(), open_key=None, owner_id=None)
    requests.revoke(db, chronicle, found.request_id, reason=reason, by=by)
    _enter(db, chronicle, "TaskCancelled", _row(db, task_id), by, reason=reason[:LONGEST_REASON])


def readdress(
    db: Connection, chronicle: Chronicle, task_id: str, request: ServiceRequest, urgency: Urgency, *, due_at: datetime, by: Viewer
) -> None:
    """Let an open task answer *request*, placed by a person, in place of the one a routing rule had placed.

    What the person asks for counts, and nothing becomes less urgent or later by it.
    """
    found = _row(db, task_id)
    if found.status not in OPEN:
        raise Conflict(f"this task is {found.status}", code="task-state")
    requests.revoke(db, chronicle, found.request_id, reason="a person has asked for the same study", by=SYSTEM)
    values = {"request_id": request.id, "kind": request.kind, "reason": request.reason, "why": _reasons(found, urgency.why)}
    db.execute(update(task_table).where(task_table.c.id == task_id).values(values | _raised(db, found, urgency, due_at)))
    _enter(db, chronicle, "TaskUpdated", _row(db, task_id), by, change="request", request_id=request.id)


def arrive(
    db: Connection,
    chronicle: Chronicle,
    task_id: str,
    *,
    instance_count: int,
    urgency: Urgency,
    why: Iterable[Why],
    budget: timedelta | None = None,
) -> None:
    """Take note that the task's study holds *instance_count* instances now, and what triage thinks of it with them.

    Everybody is told, also after the report is signed: whoever wrote it has not seen what came late. A priority is only
    raised, a deadline only brought nearer (when *budget* says that the new lane's is shorter), a reason added once.
    """
    found = _row(db, task_id)
    values = {"instance_count": instance_count, "why": _reasons(found, [*urgency.why, *why])}
    if found.status in OPEN:
        due_at = found.due_at if budget is None else _began_at(found) + budget
        values |= _raised(db, found, urgency, due_at)
    db.execute(update(task_table).where(task_table.c.id == task_id).values(values))
    _enter(db, chronicle, "TaskUpdated", _row(db, task_id), SYSTEM, change="images", instance_count=instance_count)


def restart_clock(db: Connection, task_id: str, t0: datetime) -> None:
    """Count from *t0* instead: the last instance of a study that was asked about while it still arrived."""
    found = _row(db, task_id)
    budget = timedelta(seconds=found.budget_s)
    if found.status == TaskStatus.REQUESTED and found.breached_at is None and t0 + budget > found.due_at:
        turnaround.stamp(db, task_id, Point.T0, t0)
        db.execute(update(task_table).where(task_table.c.id == task_id).values(due_at=t0 + budget))


def _reasons(found: Row[Any], more: Iterable[Why]) -> list[dict[str, Any]]:
    return list({entry["code"]: entry for entry in [*found.why, *map(asdict, more)]}.values())


def _began_at(found: Row[Any]) -> datetime:
    began_at: datetime = found.due_at - timedelta(seconds=found.budget_s)
    return began_at


def _raised(db: Connection, found: Row[Any], urgency: Urgency, due_at: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if urgency.priority.rank < found.priority_rank:
        values |= {"priority": urgency.priority, "priority_rank": urgency.priority.rank}
    if due_at < found.due_at:
        budget = due_at - _began_at(found)
        values |= {"lane": urgency.lane, "due_at": due_at, "budget_s": int(budget.total_seconds())}
        turnaround.move(db, found.id, performer=found.performer_id, lane=urgency.lane, budget=budget)
    return values


def _row(db: Connection, task_id: str) -> Row[Any]:
    return db.execute(select(task_table).where(task_table.c.id == task_id)).one()


def _seen(db: Connection, task_id: str, by: Viewer) -> Row[Any]:
    mine = task_table.c.id == task_id
    found = db.execute(select(task_table).where(mine if by == SYSTEM else mine & visible(by))).first()
    if found is None:
        raise NotFound("there is no such task", code="task")
    return found


def _fitting(found: Row[Any], by: Viewer) -> None:
    if by.institution_id != found.performer_id:
        raise Refused("this task is for another hospital's specialists", code="performer")
    if Role(found.specialty) not in by.roles:
        raise Refused(f"this task needs a {found.specialty}", code="specialty")


def _held_by(db: Connection, found: Row[Any], by: Viewer, *, or_coordinator: bool = False) -> None:
    if found.status not in HELD:
        raise Conflict(f"nobody holds this task: it is {found.status}", code="task-state")
    if or_coordinator and Role.COORDINATOR in by.roles and by.institution_id == found.performer_id:
        return
    if found.owner_id != by.practitioner_id:
        raise _taken(db, found)


def _taken(db: Connection, found: Row[Any]) -> Conflict:
    if found.status not in HELD:
        return Conflict(f"this task is {found.status} and can no longer be claimed", code="task-state")
    owner = people_by_id(db, {found.owner_id})[found.owner_id]
    hour = found.claimed_at.astimezone(HOUSE_ZONE)
    return Conflict(f"already claimed by {owner.name} at {hour:%H:%M} ({HOUSE_ZONE})", code="task-taken")


def _change(db: Connection, found: Row[Any], event: TaskEvent, **values: Any) -> None:  # noqa: ANN401 - columns of the row
    """Let *event* happen to the task as it was *found*; Conflict when it has changed since."""
    status = status_after(TaskStatus(found.status), event)
    as_found = (task_table.c.id == found.id) & (task_table.c.status == found.status)
    held = task_table.c.owner_id.is_(None) if found.owner_id is None else task_table.c.owner_id == found.owner_id
    if db.execute(update(task_table).where(as_found, held).values(status=status, **values)).rowcount == 0:
        raise Conflict("somebody changed this task at the same moment: look again", code="task-state")


def _next_performer(db: Connection, found: Row[Any], declined_by: list[str], now: datetime) -> str:
    service = Role(found.specialty)
    covering = [
        held for held in agreements_of(db, found.institution_id) if held.covers(now.astimezone(HOUSE_ZONE).date(), service)
    ]
    return next((held.performer_id for held in covering if held.performer_id not in declined_by), found.performer_id)


def _enter(db: Connection, chronicle: Chronicle, type_: str, found: Row[Any], by: Viewer, **news: Any) -> None:  # noqa: ANN401 - plain JSON
    data = {
        "task_id": found.id,
        "study_instance_uid": found.study_instance_uid,
        "institution": found.institution_id,
        "performer": found.performer_id,
        "specialty": found.specialty,
        "status": found.status,
        "priority": found.priority,
        "lane": found.lane,
        "due_at": rfc3339(found.due_at),
        **news,
    }
    chronicle.enter(db, type_, found.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Task")
