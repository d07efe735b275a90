"""What time does to a report that nobody has taken: one rung after the other, until somebody has or people are called.

Each function does its part in the caller's transaction under the condition it has just checked, as the queue's ladder does.
A message is marked as being sent before it is: what a crash finds so is never sent again on that channel, the next rung is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from consult.delivery.model import (
    LONGEST_SENDING,
    RUNG_HAS,
    RUNGS,
    SCREEN_HAS,
    TRIED_AGAIN_AFTER,
    AttemptStatus,
    Channel,
    ChannelKind,
    Message,
    NoticeStatus,
    presses,
    rung_of,
)
from consult.delivery.tables import attempt_table, channel_table, notice_table
from consult.practitioners.model import SYSTEM
from consult.practitioners.views import duty_phone, institution
from consult.queue.candidates import coordinators
from consult.reports.model import ReportStatus
from consult.reports.tables import delivery_table, report_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id

#: How many notices one transaction takes up.
AT_ONCE = 50

_NOTICE, _ATTEMPT = notice_table.c, attempt_table.c


@dataclass(frozen=True)
class Errand:
    """One message that is to be sent now."""

    attempt_id: str
    notice_id: str
    channel: Channel
    message: Message
    tries: int


def is_due(db: Connection, now: datetime) -> bool:
    """Tell, without a lock, whether `climb` or `take` has something to do."""
    waiting = _ATTEMPT.status.in_([AttemptStatus.DUE, AttemptStatus.SENDING]) & (_ATTEMPT.next_at <= now)
    dues = (select(_NOTICE.id).where(_NOTICE.next_at <= now), select(_ATTEMPT.id).where(waiting))
    return any(db.execute(due.limit(1)).first() is not None for due in dues)


def begin(db: Connection, report_id: str) -> None:
    """Open the notice of a report, once; the screen has its time first."""
    found = db.execute(select(report_table).where(report_table.c.id == report_id)).one()
    if db.execute(select(_NOTICE.id).where(_NOTICE.report_id == report_id)).first() is None:
        row = {
            "id": new_id(),
            "report_id": report_id,
            "institution_id": found.institution,
            "critical": found.critical,
            "status": NoticeStatus.OPEN,
            "rung": 0,
            "next_at": found.signed_at + SCREEN_HAS[presses(found.status, critical=found.critical)],
            "begun_at": found.signed_at,
        }
        db.execute(insert(notice_table).values(row))


def climb(db: Connection, chronicle: Chronicle) -> bool:
    """Take up the notices whose next rung is due; tell whether there were any.

    An ordinary report is acknowledged by the screen that shows its news, a critical one by its read-back, a cancelled one by a
    person who has opened it; a version that was replaced by its successor. The clinic's own system has nobody told.
    """
    now = chronicle.clock.now()
    later = report_table.alias()
    query = (
        select(
            notice_table,
            report_table.c.task_id,
            report_table.c.performer,
            report_table.c.signed_by,
            report_table.c.status.label("report_status"),
            delivery_table.c.delivered_at,
            delivery_table.c.read_at,
            delivery_table.c.only_in,
            delivery_table.c.read_back_at,
            later.c.id.label("amended_by"),
        )
        .join(report_table, report_table.c.id == _NOTICE.report_id)
        .join(delivery_table, delivery_table.c.report_id == _NOTICE.report_id, isouter=True)
        .join(later, later.c.amends == _NOTICE.report_id, isouter=True)
        .where(_NOTICE.next_at <= now)
        .order_by(_NOTICE.next_at)
        .limit(AT_ONCE)
    )
    rows = db.execute(query).all()
    channels = _channels(db, {row.institution_id for row in rows})
    for row in rows:
        _climb_one(db, chronicle, row, channels.get(row.institution_id, []), now)
    return bool(rows)


def _climb_one(db: Connection, chronicle: Chronicle, row: Row[Any], channels: list[Channel], now: datetime) -> None:
    if _taken_at(row) is not None or row.amended_by is not None:
        if _change(db, row, status=NoticeStatus.ACKNOWLEDGED, next_at=None, ended_at=now):
            waiting = (_ATTEMPT.notice_id == row.id) & (_ATTEMPT.status == AttemptStatus.DUE)
            db.execute(update(attempt_table).where(waiting).values(status=AttemptStatus.NEEDLESS, next_at=None))
        return
    rung, mine = rung_of(channels, row.rung, critical=presses(row.report_status, critical=row.critical))
    if rung == len(RUNGS):
        if _change(db, row, status=NoticeStatus.ESCALATED, rung=rung, next_at=None, ended_at=now):
            _call_people(db, chronicle, row)
    elif _change(db, row, rung=rung + 1, next_at=now + RUNG_HAS):
        due = {"notice_id": row.id, "status": AttemptStatus.DUE, "tries": 0, "next_at": now, "at": now, "problem": ""}
        db.execute(insert(attempt_table), [{"id": new_id(), "channel_id": channel.id, **due} for channel in mine])


def _taken_at(row: Row[Any]) -> datetime | None:
    shown: datetime | None = row.delivered_at if row.only_in is None else None
    by_words: datetime | None = row.read_back_at if row.critical else shown
    opened: datetime | None = row.read_at
    return opened if row.report_status == ReportStatus.CANCELLED else by_words


def _call_people(db: Connection, chronicle: Chronicle, row: Row[Any]) -> None:
    """Climb the last rung: the coordinators of both sides are told, with the number that is answered day and night."""
    told = [asdict(one) for place in (row.institution_id, row.performer) for one in coordinators(db, place)]
    data = {
        "task_id": row.task_id,
        "report_id": row.report_id,
        "institution": row.institution_id,
        "performer": row.performer,
        "critical": row.critical,
        "signed_by": row.signed_by,
        "to": told,
        "phone": duty_phone(db, row.institution_id),
    }
    chronicle.enter(
        db,
        "DeliveryEscalated",
        row.task_id,
        data,
        actor=SYSTEM.practitioner_id,
        institution=row.institution_id,
        entity="DiagnosticReport",
    )


def take(db: Connection, now: datetime, most: int) -> list[Errand]:
    """Mark what is due as being sent, at most *most*, and return it; what was interrupted is never sent again."""
    stuck = (_ATTEMPT.status == AttemptStatus.SENDING) & (_ATTEMPT.next_at <= now)
    for row in db.execute(select(_ATTEMPT.id, _ATTEMPT.notice_id).where(stuck).limit(AT_ONCE)).all():
        values = {"status": AttemptStatus.UNSURE, "next_at": None, "problem": "it was interrupted"}
        db.execute(update(attempt_table).where(_ATTEMPT.id == row.id, stuck).values(values))
        _hurry(db, row.notice_id, now)
    due = (_ATTEMPT.status == AttemptStatus.DUE) & (_ATTEMPT.next_at <= now)
    query = (
        select(_ATTEMPT.id.label("attempt_id"), _ATTEMPT.tries, _ATTEMPT.notice_id, _NOTICE.report_id, _NOTICE.critical)
        .add_columns(*(column.label(f"channel_{column.name}") for column in channel_table.c))
        .add_columns(report_table.c.status.label("report_status"), report_table.c.signed_at)
        .join(notice_table, _NOTICE.id == _ATTEMPT.notice_id)
        .join(channel_table, channel_table.c.id == _ATTEMPT.channel_id)
        .join(report_table, report_table.c.id == _NOTICE.report_id)
        .where(due)
        .order_by(_ATTEMPT.next_at)
        .limit(most)
    )
    errands = []
    for row in db.execute(query).all():
        sending = {"status": AttemptStatus.SENDING, "tries": row.tries + 1, "next_at": now + LONGEST_SENDING, "at": now}
        if db.execute(update(attempt_table).where(_ATTEMPT.id == row.attempt_id, due).values(sending)).rowcount == 1:
            channel = channel_of(row, "channel_")
            place = institution(db, channel.institution_id)
            message = Message(place.name, row.critical, ReportStatus(row.report_status), row.report_id, row.signed_at)
            errands.append(Errand(row.attempt_id, row.notice_id, channel, message, row.tries + 1))
    return errands


def ended(db: Connection, chronicle: Chronicle, errand: Errand, status: AttemptStatus, problem: str = "") -> None:
    """Write down what became of a message: sent, unsure, or failed; after a failure the next rung does not wait."""
    now = chronicle.clock.now()
    values: dict[str, Any] = {"status": status, "next_at": None, "at": now, "problem": problem[:500]}
    if status is AttemptStatus.FAILED and errand.tries <= len(TRIED_AGAIN_AFTER):
        values |= {"status": AttemptStatus.DUE, "next_at": now + TRIED_AGAIN_AFTER[errand.tries - 1]}
    mine = (_ATTEMPT.id == errand.attempt_id) & (_ATTEMPT.status == AttemptStatus.SENDING)
    if db.execute(update(attempt_table).where(mine).values(values)).rowcount == 0:
        return
    if status is not AttemptStatus.SENT and errand.tries == 1:
        _hurry(db, errand.notice_id, now)
    data = {
        "report_id": errand.message.report_id,
        "institution": errand.channel.institution_id,
        "channel": errand.channel.kind,
        "label": errand.channel.label,
        "status": status,
        "tries": errand.tries,
        "problem": problem[:500],
    }
    chronicle.enter(
        db,
        "NoticeTold",
        errand.message.report_id,
        data,
        actor=SYSTEM.practitioner_id,
        institution=errand.channel.institution_id,
        entity="Communication",
    )


def channel_of(row: Any, prefix: str = "") -> Channel:  # noqa: ANN401 - a row of channel_table, its columns prefixed
    """Return the channel that a row holds."""
    names = ("id", "institution_id", "address", "secret", "label", "critical_only")
    return Channel(kind=ChannelKind(getattr(row, f"{prefix}kind")), **{name: getattr(row, prefix + name) for name in names})


def _channels(db: Connection, institutions: Iterable[str]) -> dict[str, list[Channel]]:
    rows = db.execute(
        select(channel_table)
        .where(channel_table.c.institution_id.in_(institutions), channel_table.c.removed_at.is_(None))
        .order_by(channel_table.c.id)
    )
    found: dict[str, list[Channel]] = {}
    for row in rows:
        found.setdefault(row.institution_id, []).append(channel_of(row))
    return found


def _hurry(db: Connection, notice_id: str, now: datetime) -> None:
    """Climb the next rung now: the present one has failed."""
    db.execute(update(notice_table).where(_NOTICE.id == notice_id, _NOTICE.next_at > now).values(next_at=now))


def _change(db: Connection, row: Row[Any], **values: Any) -> bool:  # noqa: ANN401 - columns of the row
    """Change a notice that is still as it was found; False when another server was first."""
    as_found: ColumnElement[bool] = (_NOTICE.id == row.id) & (_NOTICE.rung == row.rung) & (_NOTICE.next_at == row.next_at)
    return db.execute(update(notice_table).where(as_found).values(values)).rowcount == 1
