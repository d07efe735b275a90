"""The channels of an institution, who was told of a report on which of them, and where its DICOM objects went."""

from __future__ import annotations

from itertools import groupby

from sqlalchemy import Connection, select

from consult.delivery.ladder import channel_of
from consult.delivery.model import Attempt, AttemptStatus, Channel, ChannelKind, Return, ReturnStatus
from consult.delivery.tables import attempt_table, channel_table, notice_table
from consult.practitioners.model import Viewer
from consult.reports.views import objects_of, report
from dicom_node.forwarding.queue import Fate, fates
from telemed.kernel.errors import NotFound


def channels(db: Connection) -> tuple[Channel, ...]:
    """Return every channel in use, by institution, in the order in which they were added."""
    query = select(channel_table).where(channel_table.c.removed_at.is_(None))
    return tuple(map(channel_of, db.execute(query.order_by(channel_table.c.institution_id, channel_table.c.kind))))


def channel(db: Connection, channel_id: str) -> Channel:
    """Return one channel in use; NotFound when there is none."""
    found = next((one for one in channels(db) if one.id == channel_id), None)
    if found is None:
        raise NotFound("there is no such channel", code="channel")
    return found


def attempts(db: Connection, viewer: Viewer, report_id: str) -> tuple[Attempt, ...]:
    """Return on which channels the clinic was told of a report, the oldest first; NotFound as `reports.views.report`."""
    shown = report(db, viewer, report_id)
    query = (
        select(attempt_table, channel_table.c.kind, channel_table.c.label)
        .join(notice_table, notice_table.c.id == attempt_table.c.notice_id)
        .join(channel_table, channel_table.c.id == attempt_table.c.channel_id)
        .where(notice_table.c.report_id == shown.id)
        .order_by(attempt_table.c.at, attempt_table.c.id)
    )
    return tuple(
        Attempt(ChannelKind(row.kind), row.label, AttemptStatus(row.status), row.tries, row.at, row.problem)
        for row in db.execute(query)
    )


def returns(db: Connection, viewer: Viewer, report_id: str) -> tuple[Return, ...]:
    """Return what became of a report's DICOM objects at each node they go to; NotFound as `reports.views.report`."""
    shown = report(db, viewer, report_id)
    found = fates(db, shown.institution.id, objects_of(db, shown.id))
    return tuple(_return(title, list(some)) for title, some in groupby(found, lambda one: one.ae_title))


def _return(ae_title: str, objects: list[Fate]) -> Return:
    problem = next((one.error for one in objects if one.error), "")
    waiting = [one.queued_at for one in objects if one.queued_at is not None]
    if not waiting:
        return Return(ae_title, ReturnStatus.SENT, max(one.sent_at for one in objects if one.sent_at is not None))
    status = ReturnStatus.FAILED if any(one.given_up_at for one in objects) else ReturnStatus.WAITING
    return Return(ae_title, status, min(waiting), problem)
