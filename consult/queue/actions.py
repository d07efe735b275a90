"""What may be done with a task. Each verb changes the row under the condition it has just checked, so that exactly one wins.

The row comes first and the log after it, everywhere: two transactions that took them in opposite order would wait for
each other for ever on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from consult.practitioners.model import SYSTEM, Expertise, Practitioner, Role, Viewer
from consult.practitioners.views import people_by_id, practitioner
from consult.queue.candidates import assign
from consult.queue.dispatch import Choice, Need
from consult.queue.model import HELD, LEASED, OPEN, Declined, Stage, TaskEvent, TaskStatus, status_after
from consult.queue.sla import LEASE, climbs_at
from consult.queue.tables import blind_table, question_table, task_table
from consult.queue.views import Task, visible
from consult.queue.views import task as task_of
from consult.requests import actions as requests
from consult.requests.model import HOUSE_ZONE, Lane, Priority, ServiceRequest
from consult.requests.views import request_by_id
from consult.triage.model import READING, Urgency, Why, begin_by
from consult.turnaround import actions as turnaround
from consult.turnaround.model import Point
from ecg.analysis import Text
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

LONGEST_REASON = 2000

_UNHELD: Mapping[str, None] = {"owner_id": None, "claimed_at": None, "lease_until": None}


def create(
    db: Connection,
    chronicle: Chronicle,
    request: ServiceRequest,
    urgency: Urgency,
    *,
    specialty: Role,
    choice: Choice,
    t0: datetime,
    due_at: datetime,
    instance_count: int,
    by: Viewer,
) -> str:
    """Put *request* into its performer's queue, start its clock at *t0*, and return the task's id.

    *choice* says to whom dispatch gives it and why; *instance_count* is what the study held by then: what exceeds it later
    comes late.

    Raises Conflict when the study already has an open task: two may arrive at the same instant, one is made.
    """
    id_, budget = new_id(), due_at - t0
    reading = READING[urgency.lane] if choice.reading_s is None else timedelta(seconds=choice.reading_s)
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
        "wanted": request.wanted,
        **assigned(choice),
        "declined_by": [],
        "stage": Stage.FIRST,
        "barred": [],
        "placed_at": request.placed_at,
        "budget_s": int(budget.total_seconds()),
        "due_at": due_at,
        "reading_s": int(reading.total_seconds()),
        "begin_by": begin_by(due_at, urgency.priority, reading),
        "escalated": 0,
        "escalate_at": climbs_at(due_at, budget, 0),
        "instance_count": instance_count,
    }
    try:
        with db.begin_nested():
            db.execute(insert(task_table).values(row))
    except IntegrityError:
        raise Conflict("this study already waits for an answer", code="task-open") from None
    sides = {"institution": request.institution_id, "performer": request.performer_id}
    turnaround.begin(db, id_, **sides, lane=urgency.lane, budget=budget, t0=t0)
    enter(db, chronicle, "TaskRequested", id_, by, t0_at=rfc3339(t0), assigned=choice.person and choice.person.id)
    return id_


def claim(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Take a waiting task; of two who do so at one instant exactly one wins (T3).

    Claiming again what one already holds changes nothing. Raises Conflict naming who has it, Refused for the wrong
    specialty or hospital, NotFound for what the viewer may not see.
    """
    found = _seen(db, task_id, by)
    if found.status in HELD and found.owner_id == by.practitioner_id:
        return task_of(db, by, task_id)
    _fitting(db, found, by)
    now = chronicle.clock.now()
    waiting = (task_table.c.id == task_id) & (task_table.c.status == TaskStatus.REQUESTED)
    values = {"status": TaskStatus.ACCEPTED, **_held(by.practitioner_id, now)}
    if db.execute(update(task_table).where(waiting).values(values)).rowcount == 0:
        raise _taken(db, _row(db, task_id))
    turnaround.stamp(db, task_id, Point.T3, now)
    return _entered(db, chronicle, "TaskClaimed", task_id, by, owner=by.practitioner_id, owner_name=by.name)


def require_fitting(db: Connection, task_id: str, *, by: Viewer) -> None:
    """Return when *by* could have signed the task; Refused for the wrong specialty or hospital, and in training."""
    _of_the_hospital(_row(db, task_id), by)
    _signing_alone(practitioner(db, by.practitioner_id))


def require_eligible(db: Connection, task_id: str, *, by: Viewer) -> None:
    """Return when *by* could claim the task if it were waiting; Refused as `claim`."""
    _fitting(db, _row(db, task_id), by)


def lock(db: Connection, task_id: str) -> None:
    """Let those who act on one task at the same moment pass one after the other; SQLite has one writer anyhow."""
    db.execute(select(task_table.c.id).where(task_table.c.id == task_id).with_for_update())


def blind(db: Connection, task_id: str, *, practitioner_id: str) -> None:
    """Let somebody not learn who has read a task, until `tell` (see `queue.views.blind`); they review its report."""
    db.execute(insert(blind_table).values(task_id=task_id, practitioner_id=practitioner_id))


def tell(db: Connection, task_id: str, *, practitioner_id: str) -> None:
    """Let somebody learn again who has read a task."""
    db.execute(delete(blind_table).where(blind_table.c.task_id == task_id, blind_table.c.practitioner_id == practitioner_id))


def renew(db: Connection, chronicle: Chronicle, *, by: Viewer) -> tuple[str, ...]:
    """Renew the viewer's claims, and return the ids of the tasks they still hold; no event, it comes every half minute."""
    mine = (task_table.c.owner_id == by.practitioner_id) & task_table.c.status.in_(LEASED)
    db.execute(update(task_table).where(mine).values(lease_until=chronicle.clock.now() + LEASE))
    return tuple(db.scalars(select(task_table.c.id).where(mine).order_by(task_table.c.due_at, task_table.c.id)))


def take_over(db: Connection, chronicle: Chronicle, task_id: str, *, reason: str, by: Viewer) -> Task:
    """Take a task that somebody else holds, draft and all, saying why; they and the clinic are told."""
    found = _seen(db, task_id, by)
    _fitting(db, found, by)
    if found.owner_id == by.practitioner_id:
        return task_of(db, by, task_id)
    reason = _said(reason, "say why in 1 to {} characters: your colleague reads it")
    _change(db, found, TaskEvent.TAKE_OVER, **_held(by.practitioner_id, chronicle.clock.now()))
    news = {"owner": by.practitioner_id, "owner_name": by.name, "from": found.owner_id, "reason": reason}
    return _entered(db, chronicle, "TaskTakenOver", task_id, by, **news)


def ask(db: Connection, chronicle: Chronicle, task_id: str, *, question: str, by: Viewer) -> Task:
    """Ask the clinic what the reader cannot go on without: the one reason for which the clock of record stands."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    question = _said(question, "ask in 1 to {} characters: the clinic reads it")
    now = chronicle.clock.now()
    _change(db, found, TaskEvent.ASK, lease_until=None, escalate_at=None)
    row = {"task_id": task_id, "question": question, "asked_by": by.practitioner_id, "asked_at": now}
    db.execute(insert(question_table).values(id=new_id(), **row))
    turnaround.pause(db, task_id, now)
    return _entered(db, chronicle, "TaskAsked", task_id, by, question=question, owner_name=by.name)


def answer(db: Connection, chronicle: Chronicle, task_id: str, *, answer: str, by: Viewer) -> Task:
    """Answer the reader's question: the clock runs on, and the reader is told."""
    found = _seen(db, task_id, by)
    if by.institution_id != found.institution_id:
        raise Refused("only the institution that was asked may answer")
    answer = _said(answer, "answer in 1 to {} characters: the specialist reads it")
    now = chronicle.clock.now()
    _change(db, found, TaskEvent.ANSWER, **_resumed(db, found, now), lease_until=now + LEASE)
    open_ = (question_table.c.task_id == task_id) & question_table.c.answered_at.is_(None)
    db.execute(update(question_table).where(open_).values(answer=answer, answered_by=by.practitioner_id, answered_at=now))
    return _entered(db, chronicle, "TaskAnswered", task_id, by, answer=answer, owner=found.owner_id)


def release(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Put a held task back into the queue; its owner may, or a coordinator of the hospital."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by, or_coordinator=True)
    _change(db, found, TaskEvent.RELEASE, **_UNHELD)
    return _entered(db, chronicle, "TaskReleased", task_id, by, cause="given back", owner=found.owner_id)


def start(db: Connection, chronicle: Chronicle, task_id: str, *, by: Viewer) -> Task:
    """Begin to read a claimed task; starting again what one has started changes nothing."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    if found.status == TaskStatus.IN_PROGRESS:
        return task_of(db, by, task_id)
    _change(db, found, TaskEvent.START)
    return _entered(db, chronicle, "TaskStarted", task_id, by)


def decline(db: Connection, chronicle: Chronicle, task_id: str, *, code: Declined, reason: str, by: Viewer) -> None:
    """Refuse a task with a coded reason: the clinic hears it at once, and the task is dispatched again.

    It goes to the next hospital whose agreement covers it and that has not declined; where there is none, back into the
    same hospital's queue. Returns nothing: it may be out of the viewer's sight now.
    """
    found = _seen(db, task_id, by)
    if found.status in HELD:
        _held_by(db, found, by)
    else:
        _fitting(db, found, by)
    reason = _said(reason, "say why in 1 to {} characters: the clinic reads it")
    now = chronicle.clock.now()
    declined_by = [*found.declined_by, found.performer_id]
    choice = assign(db, need_of(db, found, now, tried=declined_by))
    if choice.performer_id is None:
        choice = assign(db, need_of(db, found, now, beside=[by.practitioner_id]), within=found.performer_id)
    performer_id = choice.performer_id or found.performer_id
    why = [*found.why, asdict(Why(f"declined:{code}", Text(f"曾被退回：{reason}", f"declined before: {reason}")))]
    moved = {"performer_id": performer_id, "declined_by": declined_by, "why": why, **assigned(choice)}
    _change(db, found, TaskEvent.DECLINE, **_UNHELD, **moved, **_resumed(db, found, now))
    budget = timedelta(seconds=found.budget_s)
    turnaround.move(db, task_id, performer=performer_id, lane=found.lane, budget=budget)
    news = {"code": code, "reason": reason, "declined_by": found.performer_id, "assigned": choice.person and choice.person.id}
    enter(db, chronicle, "TaskDeclined", task_id, by, **news)


def handover(db: Connection, chronicle: Chronicle, task_id: str, *, to: str, by: Viewer) -> Task:
    """Give a held task to *to*, a specialist of the same hospital and specialty; the owner may, or a coordinator."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by, or_coordinator=True)
    heir = practitioner(db, to)
    if heir.institution.id != found.performer_id or Role(found.specialty) not in heir.roles:
        raise Refused(f"{heir.name} is no {found.specialty} of this hospital", code="specialty")
    try:
        _ready(found, heir)
    except Refused:
        if found.stage != Stage.SECOND:
            raise
        # Why not would say who was the first to read it.
        raise Refused(f"{heir.name} cannot read this study now: choose somebody else", code="reader-unfit") from None
    now = chronicle.clock.now()
    _change(db, found, TaskEvent.HANDOVER, **_held(heir.id, now))
    news = {"owner": heir.id, "owner_name": heir.name, "from": found.owner_id}
    return _entered(db, chronicle, "TaskHandedOver", task_id, by, **news)


def pass_on(db: Connection, chronicle: Chronicle, task_id: str, *, stage: Stage, beside: Iterable[str], by: Viewer) -> None:
    """Put a task whose reading is signed back into the queue for the next *stage*, to be read by nobody of *beside*.

    Deadline and ladder stay: however many read it, the clinic waits for one answer.
    """
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    barred = sorted({*found.barred, *beside})
    choice = assign(db, need_of(db, found, chronicle.clock.now(), beside=barred), within=found.performer_id)
    _change(db, found, TaskEvent.GO_ON, **_UNHELD, stage=stage, barred=barred, **assigned(choice))
    enter(db, chronicle, "TaskPassedOn", task_id, by, stage=stage, assigned=choice.person and choice.person.id)


def advance(db: Connection, chronicle: Chronicle, task_id: str, *, stage: Stage, by: Viewer) -> None:
    """Let the owner of a task go on to its next *stage*."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    db.execute(update(task_table).where(task_table.c.id == task_id).values(stage=stage))
    enter(db, chronicle, "TaskUpdated", task_id, by, change="stage", stage=stage)


def complete(db: Connection, chronicle: Chronicle, task_id: str, *, report_id: str, by: Viewer) -> None:
    """Close a task with its signed report (T4), and its request with it. The event is the report's: `ReportSigned`."""
    found = _seen(db, task_id, by)
    _held_by(db, found, by)
    now = chronicle.clock.now()
    done = {"report_id": report_id, "completed_at": now, "open_key": None}
    # The watch looks only at what is open: it may not have seen yet that the time is over.
    late = found.breached_at is None and now > found.due_at
    breached_at = found.due_at if late else found.breached_at
    _change(db, found, TaskEvent.SIGN, **done, breached_at=breached_at, lease_until=None, escalate_at=None)
    requests.fulfil(db, found.request_id)
    turnaround.stamp(db, task_id, Point.T4, now)
    if late:
        enter(db, chronicle, "SlaBreached", task_id, SYSTEM, breached_at=rfc3339(found.due_at))


def cancel(
    db: Connection, chronicle: Chronicle, task_id: str, *, reason: str, by: Viewer, event: TaskEvent = TaskEvent.CANCEL
) -> None:
    """Withdraw a task that nobody reads yet, and its request; only the institution that asked may.

    A consent that is revoked (*event* REVOKE) ends a task also while it is read.
    """
    found = _seen(db, task_id, by)
    if by.institution_id != found.institution_id:
        raise Refused("only the institution that asked may withdraw its request")
    now = chronicle.clock.now()
    turnaround.resume(db, task_id, now)
    _change(db, found, event, **_UNHELD, completed_at=now, open_key=None, escalate_at=None)
    requests.revoke(db, chronicle, found.request_id, reason=reason, by=by)
    enter(db, chronicle, "TaskCancelled", task_id, by, reason=reason[:LONGEST_REASON])


def readdress(
    db: Connection,
    chronicle: Chronicle,
    task_id: str,
    request: ServiceRequest,
    urgency: Urgency,
    *,
    choice: Choice,
    due_at: datetime,
    by: Viewer,
) -> None:
    """Let an open task answer *request*, placed by a person, in place of the one a routing rule had placed.

    What the person asks for counts, and nothing becomes less urgent or later by it.
    """
    found = _row(db, task_id)
    if found.status not in OPEN:
        raise Conflict(f"this task is {found.status}", code="task-state")
    requests.revoke(db, chronicle, found.request_id, reason="a person has asked for the same study", by=SYSTEM)
    asked = {"request_id": request.id, "kind": request.kind, "reason": request.reason, "wanted": request.wanted}
    values = asked | {"why": _reasons(found, urgency.why)} | ({} if found.owner_id else assigned(choice))
    db.execute(update(task_table).where(task_table.c.id == task_id).values(values | _raised(db, found, urgency, due_at)))
    enter(db, chronicle, "TaskUpdated", task_id, by, change="request", request_id=request.id)


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
        values |= _raised(db, found, urgency, _due_within(found, budget))
    db.execute(update(task_table).where(task_table.c.id == task_id).values(values))
    enter(db, chronicle, "TaskUpdated", task_id, SYSTEM, change="images", instance_count=instance_count)


def reconsider(db: Connection, chronicle: Chronicle, task_id: str, *, urgency: Urgency, budget: timedelta | None = None) -> None:
    """Take note of what triage thinks of an open task now, as `arrive` does; nobody is told what they know already."""
    found = _row(db, task_id)
    values = {"why": _reasons(found, urgency.why)} | _raised(db, found, urgency, _due_within(found, budget))
    if any(getattr(found, name) != value for name, value in values.items()):
        db.execute(update(task_table).where(task_table.c.id == task_id).values(values))
        enter(db, chronicle, "TaskUpdated", task_id, SYSTEM, change="urgency")


def restart_clock(db: Connection, chronicle: Chronicle, task_id: str, t0: datetime) -> None:
    """Count from *t0* instead: the last instance of a study that was asked about while it still arrived.

    Where somebody has claimed it before, T0 stands, and the deadline with it.
    """
    found = _row(db, task_id)
    budget = timedelta(seconds=found.budget_s)
    waits = found.status == TaskStatus.REQUESTED and found.breached_at is None and t0 + budget > found.due_at
    if waits and turnaround.stamp(db, task_id, Point.T0, t0):
        values = {**_due(found, t0 + budget), "escalate_at": climbs_at(t0 + budget, budget, found.escalated)}
        db.execute(update(task_table).where(task_table.c.id == task_id).values(values))
        enter(db, chronicle, "TaskUpdated", task_id, SYSTEM, change="clock", t0_at=rfc3339(t0))


def _reasons(found: Row[Any], more: Iterable[Why]) -> list[dict[str, Any]]:
    return list({entry["code"]: entry for entry in [*found.why, *map(asdict, more)]}.values())


def _due_within(found: Row[Any], budget: timedelta | None) -> datetime:
    """Return the deadline of a task whose budget is another now, None where it is not."""
    due_at: datetime = found.due_at if budget is None else _began_at(found) + budget
    return due_at


def _began_at(found: Row[Any]) -> datetime:
    began_at: datetime = found.due_at - timedelta(seconds=found.budget_s)
    return began_at


def _raised(db: Connection, found: Row[Any], urgency: Urgency, due_at: datetime) -> dict[str, Any]:
    priority = min(urgency.priority, Priority(found.priority), key=lambda each: each.rank)
    values = {"priority": priority, "priority_rank": priority.rank, **_due(found, min(due_at, found.due_at), priority)}
    if due_at < found.due_at:
        budget = due_at - _began_at(found)
        values |= {"lane": urgency.lane, "budget_s": int(budget.total_seconds())}
        if found.escalate_at is not None:
            values |= {"escalate_at": climbs_at(due_at, budget, found.escalated)}
        turnaround.move(db, found.id, performer=found.performer_id, lane=urgency.lane, budget=budget)
    return values


def _held(owner_id: str, now: datetime) -> dict[str, Any]:
    return {"owner_id": owner_id, "claimed_at": now, "lease_until": now + LEASE}


def _resumed(db: Connection, found: Row[Any], now: datetime) -> dict[str, Any]:
    """Let the clocks of a task on hold run on, and return what its deadline has become; nothing for any other task."""
    stood = turnaround.resume(db, found.id, now)
    if found.status != TaskStatus.ON_HOLD:
        return {}
    due_at = found.due_at + stood
    return {**_due(found, due_at), "escalate_at": climbs_at(due_at, timedelta(seconds=found.budget_s), found.escalated)}


def _due(found: Row[Any], due_at: datetime, priority: Priority | None = None) -> dict[str, datetime]:
    """Return the deadline and, by it, the task's place in the queue."""
    reading = timedelta(seconds=found.reading_s)
    return {"due_at": due_at, "begin_by": begin_by(due_at, priority or Priority(found.priority), reading)}


def _said(words: str, otherwise: str) -> str:
    """Return *words* stripped; Invalid with the sentence *otherwise* when there are none, or too many."""
    words = words.strip()
    if not words or len(words) > LONGEST_REASON:
        raise Invalid(otherwise.format(LONGEST_REASON), code="reason-missing")
    return words


def _row(db: Connection, task_id: str) -> Row[Any]:
    return db.execute(select(task_table).where(task_table.c.id == task_id)).one()


def _seen(db: Connection, task_id: str, by: Viewer) -> Row[Any]:
    mine = task_table.c.id == task_id
    found = db.execute(select(task_table).where(mine if by == SYSTEM else mine & visible(by))).first()
    if found is None:
        raise NotFound("there is no such task", code="task")
    return found


def _fitting(db: Connection, found: Row[Any], by: Viewer) -> None:
    _of_the_hospital(found, by)
    _ready(found, practitioner(db, by.practitioner_id))


def _of_the_hospital(found: Row[Any], by: Viewer) -> None:
    if by.institution_id != found.performer_id:
        raise Refused("this task is for another hospital's specialists", code="performer")
    if Role(found.specialty) not in by.roles:
        raise Refused(f"this task needs a {found.specialty}", code="specialty")


def _ready(found: Row[Any], reader: Practitioner) -> None:
    """Refuse a task to somebody who has read it before, and its further readings to somebody in training."""
    if reader.id in found.barred:
        raise Refused(f"{reader.name} has read this study already: another pair of eyes is needed", code="read-before")
    if found.stage != Stage.FIRST:
        _signing_alone(reader)


def _signing_alone(reader: Practitioner) -> None:
    if reader.qualification.in_training:
        raise Refused(f"{reader.name} is in training: this needs a doctor who signs alone", code="in-training")


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


def need_of(db: Connection, found: Row[Any], at: datetime, *, tried: Iterable[str] = (), beside: Iterable[str] = ()) -> Need:
    """Return what dispatch has to find somebody for."""
    return Need(
        institution_id=found.institution_id,
        specialty=Role(found.specialty),
        lane=Lane(found.lane),
        at=at,
        wanted=Expertise(found.wanted) if found.wanted else None,
        tried=frozenset(tried),
        beside=frozenset({*beside, *found.barred}),
        due_at=found.due_at,
        routed=request_by_id(db, found.request_id).is_automatic,
    )


def assigned(choice: Choice) -> dict[str, Any]:
    """Return the columns that keep what dispatch chose, and why."""
    return {
        "assigned_id": None if choice.person is None else choice.person.id,
        "dispatch": [asdict(verdict) for verdict in choice.verdicts],
    }


def enter(db: Connection, chronicle: Chronicle, type_: str, task_id: str, by: Viewer, **news: Any) -> None:  # noqa: ANN401 - plain JSON
    """Tell what became of a task, as it stands now; *news* is added to what every event of a task says."""
    data = {**_told(_row(db, task_id)), **news}
    chronicle.enter(db, type_, task_id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Task")


def _entered(db: Connection, chronicle: Chronicle, type_: str, task_id: str, by: Viewer, **news: object) -> Task:
    """Do the same and return the task, which is looked up first: from `enter` on all others wait for the log."""
    task = task_of(db, by, task_id)
    enter(db, chronicle, type_, task_id, by, **news)
    return task


def enter_all(db: Connection, chronicle: Chronicle, type_: str, news: Mapping[str, Mapping[str, Any]], by: Viewer) -> None:
    """Tell the same of many tasks in the order of *news*, which has what is added for each, and at the cost of one."""
    found = {row.id: row for row in db.execute(select(task_table).where(task_table.c.id.in_(news)))}
    told = [(task_id, {**_told(found[task_id]), **more}) for task_id, more in news.items()]
    chronicle.enter_all(db, type_, told, actor=by.practitioner_id, institution=by.institution_id, entity="Task")


def _told(found: Row[Any]) -> dict[str, Any]:
    return {
        "task_id": found.id,
        "study_instance_uid": found.study_instance_uid,
        "institution": found.institution_id,
        "performer": found.performer_id,
        "specialty": found.specialty,
        "status": found.status,
        "priority": found.priority,
        "lane": found.lane,
        "due_at": rfc3339(found.due_at),
        "budget_s": found.budget_s,
    }
