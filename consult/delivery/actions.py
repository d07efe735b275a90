"""T5 and T6: the report reached the clinic's screen or system; a named person there opened it, and read back what is critical."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from consult.delivery.model import ChannelKind
from consult.delivery.tables import channel_table
from consult.practitioners.model import SYSTEM, Person, Viewer
from consult.practitioners.views import institution
from consult.reports.model import ReadBack, Report, ReportStatus
from consult.reports.tables import delivery_table, object_table, report_table
from consult.reports.views import of_record
from consult.reports.views import report as report_of
from consult.turnaround.actions import stamp
from consult.turnaround.model import Point
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

LONGEST_READ_BACK = 500


def delivered(db: Connection, chronicle: Chronicle, report_id: str, by: Viewer) -> Report:
    """Stamp T5: the report's news is on the inviting clinic's screen. Repeating it changes nothing; the first one counts.

    Raises NotFound for a stranger, Refused for the performer's own people: only the inviting side can say it arrived.
    """
    report = _inviting(db, report_id, by)
    if report.delivered_at:
        _taken(db, report)
        return report
    return _deliver(db, chronicle, report, chronicle.clock.now(), by)


def arrived(
    db: Connection, chronicle: Chronicle, sop_instance_uids: Collection[str], *, ae_title: str, institution_id: str, at: datetime
) -> None:
    """Stamp T5 of the versions whose objects the AE *ae_title* of their clinic, *institution_id*, has acknowledged at *at*.

    The first delivery counts. Nobody there has been told by it: the notice goes on until a screen shows the news.
    """
    of = select(object_table.c.report_id).join(report_table, report_table.c.id == object_table.c.report_id)
    mine = object_table.c.sop_instance_uid.in_(sop_instance_uids) & (report_table.c.institution == institution_id)
    for report_id in sorted(set(db.scalars(of.where(mine)))):
        _lock(db, report_id)
        report = of_record(db, report_id)
        if not report.delivered_at:
            _deliver(db, chronicle, report, at, SYSTEM, only_in=ae_title)


def receipt(db: Connection, chronicle: Chronicle, report_id: str, by: Viewer) -> Report:
    """Stamp T6: *by*, a named person at the inviting clinic, has opened the report. Implies T5; the first one counts.

    Raises as `delivered`.
    """
    report = _inviting(db, report_id, by)
    if report.read_at:
        return report
    now = chronicle.clock.now()
    if not report.delivered_at:
        report = _deliver(db, chronicle, report, now, by)
    _taken(db, report)
    row = {"read_at": now, "read_by": by.practitioner_id, "read_by_name": by.name}
    db.execute(update(delivery_table).where(delivery_table.c.report_id == report_id).values(row))
    _stamp(db, report, Point.T6, now)
    _enter(db, chronicle, "ReportRead", report, by)
    return replace(report, read_at=now, read_by=Person(by.practitioner_id, by.name))


def read_back(db: Connection, chronicle: Chronicle, report_id: str, *, words: str, by: Viewer) -> Report:
    """Take down how *by* at the inviting clinic repeats the critical value; both sides see it, and the document is given out.

    Implies T6. The first read-back counts. Raises as `delivered`; Conflict when the report holds no critical value, Invalid
    when nothing, or too much, is repeated.
    """
    report = _inviting(db, report_id, by)
    if not report.critical:
        raise Conflict("this report holds no critical value to read back", code="not-critical")
    words = words.strip()
    if not words or len(words) > LONGEST_READ_BACK:
        raise Invalid(f"repeat the critical value in 1 to {LONGEST_READ_BACK} characters", code="read-back")
    if report.read_back:
        return report
    report = receipt(db, chronicle, report_id, by)
    said = ReadBack(words, Person(by.practitioner_id, by.name), chronicle.clock.now())
    row = {"read_back": words, "read_back_at": said.at, "read_back_by": by.practitioner_id, "read_back_by_name": by.name}
    db.execute(update(delivery_table).where(delivery_table.c.report_id == report_id).values(row))
    _enter(db, chronicle, "CriticalReadBack", report, by, words=words)
    return replace(report, read_back=said)


def add_channel(
    db: Connection,
    chronicle: Chronicle,
    institution_id: str,
    kind: ChannelKind,
    address: str,
    *,
    secret: str,
    label: str,
    critical_only: bool,
    by: Viewer,
) -> str:
    """Let an institution be told on one more channel, and return its id; Invalid for an address that kind cannot have."""
    place, address = institution(db, institution_id), address.strip()
    if not _ADDRESSES[kind].fullmatch(address):
        raise Invalid(f"{address[:100]!r} is no address for {kind}: {_WANTED[kind]}", code="channel-address")
    row = {"kind": kind, "address": address, "secret": secret.strip(), "label": label.strip(), "critical_only": critical_only}
    id_ = new_id()
    db.execute(insert(channel_table).values(id=id_, institution_id=place.id, **row))
    news = {"channel": id_, "kind": kind, "label": row["label"], "critical_only": critical_only, "institution": place.id}
    chronicle.enter(
        db, "ChannelAdded", place.id, news, actor=by.practitioner_id, institution=by.institution_id, entity="Endpoint"
    )
    return id_


def remove_channel(db: Connection, chronicle: Chronicle, channel_id: str, *, by: Viewer) -> None:
    """Tell nobody on that channel any more; what was told on it stays on record."""
    mine = (channel_table.c.id == channel_id) & channel_table.c.removed_at.is_(None)
    found = db.execute(select(channel_table).where(mine)).first()
    if found is None:
        raise NotFound("there is no such channel", code="channel")
    db.execute(update(channel_table).where(mine).values(removed_at=chronicle.clock.now()))
    news = {"channel": found.id, "kind": found.kind, "label": found.label, "institution": found.institution_id}
    chronicle.enter(
        db,
        "ChannelRemoved",
        found.institution_id,
        news,
        actor=by.practitioner_id,
        institution=by.institution_id,
        entity="Endpoint",
    )


_URL = re.compile(r"https?://[^\s/?#@]+(?:[/?][^\s#]*)?", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")
_NUMBER = re.compile(r"\+?[0-9][0-9 -]{2,30}")
_ADDRESSES = dict.fromkeys(ChannelKind, _URL) | {
    ChannelKind.EMAIL: _MAIL,
    ChannelKind.SMS: _NUMBER,
    ChannelKind.VOICE: _NUMBER,
}
_WANTED = dict.fromkeys(ChannelKind, "write https://HOST/PATH") | {
    ChannelKind.EMAIL: "write NAME@HOST",
    ChannelKind.SMS: "write a number of digits",
    ChannelKind.VOICE: "write a number of digits",
}


def _inviting(db: Connection, report_id: str, by: Viewer) -> Report:
    """Return the report as it stands, nobody else's receipt of it in flight: the lock lets them pass one by one."""
    _lock(db, report_id)
    report = report_of(db, by, report_id)
    if by.institution_id != report.institution.id:
        raise Refused(f"only {report.institution.name}, which asked, can acknowledge this report", code="not-yours")
    return report


def _lock(db: Connection, report_id: str) -> None:
    db.execute(select(report_table.c.id).where(report_table.c.id == report_id).with_for_update())


def _deliver(  # noqa: PLR0917 - in the order of every action: where, what, who
    db: Connection, chronicle: Chronicle, report: Report, at: datetime, by: Viewer, only_in: str | None = None
) -> Report:
    row = {"report_id": report.id, "delivered_at": at, "delivered_by": by.practitioner_id, "only_in": only_in}
    db.execute(insert(delivery_table).values(row))
    _stamp(db, report, Point.T5, at)
    _enter(db, chronicle, "ReportDelivered", report, by, channel=only_in or "screen")
    return replace(report, delivered_at=at)


def _taken(db: Connection, report: Report) -> None:
    """Note that somebody at the clinic has taken what its own system had before."""
    waits = (delivery_table.c.report_id == report.id) & delivery_table.c.only_in.is_not(None)
    db.execute(update(delivery_table).where(waits).values(only_in=None))


def _stamp(db: Connection, report: Report, point: Point, at: datetime) -> None:
    """Stamp the clock of record, which neither a preliminary report ends nor one that is no answer any more."""
    if report.status not in {ReportStatus.PRELIMINARY, ReportStatus.CANCELLED}:
        stamp(db, report.task_id, point, at)


def _enter(db: Connection, chronicle: Chronicle, type_: str, report: Report, by: Viewer, **news: str) -> None:
    data = {
        "task_id": report.task_id,
        "study_instance_uid": report.study_instance_uid,
        **report.told_to,
        "report_id": report.id,
        "version": report.version,
        "by": by.name,
        "signed_by": report.signed_by.id,
        **news,
    }
    chronicle.enter(
        db, type_, report.task_id, data, actor=by.practitioner_id, institution=by.institution_id, entity="DiagnosticReport"
    )
