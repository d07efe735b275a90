"""The quality of a span: consultations count by their T0, recordings by when they were judged, differences by when scored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, true

from consult.figures.model import Span
from consult.gate.model import Verdict
from consult.gate.tables import gate_table
from consult.gate.views import gate_from
from consult.peer_review.model import month_of
from consult.peer_review.tables import review_table
from consult.practitioners.model import Role, Viewer
from consult.practitioners.views import institutions_by_id, people_by_id
from consult.quality.model import (
    REJECTING,
    Answered,
    ByOrigin,
    ByReading,
    Difference,
    Discordance,
    Judged,
    SiteQuality,
    Way,
)
from consult.quality.model import discordance as discordance_of
from consult.quality.model import quality as quality_of
from consult.queue.tables import task_table
from consult.queue.views import blind
from consult.readings.model import Radpeer
from consult.readings.tables import comparison_table
from consult.reports.model import REVISED, ReportStatus
from consult.reports.tables import report_table
from consult.turnaround.tables import turnaround_table
from consult.turnaround.views import concerning
from dicom_node.archive.tables import instance_table, series_table, study_table

_CODES = frozenset(f"declined:{code}" for code in REJECTING)


def answered(db: Connection, viewer: Viewer, span: Span) -> list[Answered]:
    """Return the consultations of *span* that concern the viewer."""
    clock, task = turnaround_table.c, task_table.c
    wanted = _wanted(span) & concerning(viewer) & (clock.t0_at >= span.since) & (clock.t0_at < span.until)
    reported = select(report_table.c.task_id, report_table.c.status).join(
        turnaround_table, clock.task_id == report_table.c.task_id
    )
    statuses: dict[str, set[str]] = {}
    for row in db.execute(reported.where(wanted)):
        statuses.setdefault(row.task_id, set()).add(row.status)
    rows = db.execute(
        select(task.id, task.institution_id, task.why, _DEVICE.c.source)
        .join(turnaround_table, clock.task_id == task.id)
        .join(_DEVICE, _of_task(), isouter=True)
        .where(wanted)
        .order_by(clock.t0_at, task.id)
    )
    return [
        Answered(
            task_id=row.id,
            site=row.institution_id,
            device=row.source or "",
            rejected=any(reason["code"] in _CODES for reason in row.why),
            **_fate(statuses.get(row.id, set())),
        )
        for row in rows
    ]


def judged(db: Connection, viewer: Viewer, span: Span) -> list[Judged]:
    """Return the ECGs that the couch gate judged in *span*; those of the viewer's own institution, or every one."""
    gate = gate_table.c
    wanted = (gate.judged_at >= span.since) & (gate.judged_at < span.until)
    if not _answers_for_all(viewer):
        wanted &= gate.institution == viewer.institution_id
    if span.institution is not None:
        wanted &= gate.institution == span.institution
    recorded = and_(instance_table.c.institution == gate.institution, instance_table.c.sop_instance_uid == gate.sop_instance_uid)
    query = select(gate_table, instance_table.c.source).join(instance_table, recorded, isouter=True).where(wanted)
    gates = ((gate_from(row), row["source"] or "") for row in db.execute(query).mappings())
    return [Judged(one.institution, device, one.asks, one.asks and one.verdict is Verdict.REPEATED) for one, device in gates]


def differences(db: Connection, viewer: Viewer, span: Span) -> list[Difference]:
    """Return how readings that were compared in *span* differed: of the viewer's own hospital, or every one.

    Those of a task whose report the viewer reviews blind come once they have scored it.
    """
    compared, review = comparison_table.c, review_table.c
    double = _scored(compared.task_id, compared.score, compared.author_id, compared.at)
    peer = _scored(review.task_id, review.score, review.author_id, review.scored_at).where(review.score.is_not(None))
    found = []
    for way, query, at in ((Way.DOUBLE, double, compared.at), (Way.PEER, peer, review.scored_at)):
        wanted = (at >= span.since) & (at < span.until) & _wanted(span) & ~blind(viewer)
        if not _answers_for_all(viewer):
            wanted &= turnaround_table.c.performer == viewer.institution_id
        found += [
            Difference(
                task_id=row.task_id,
                way=way,
                score=Radpeer(row.score),
                reader=row.author_id,
                lane=row.lane,
                institution=row.institution,
                performer=row.performer,
                device=row.source or "",
                month=month_of(row.at),
            )
            for row in db.execute(query.where(wanted).order_by(at, turnaround_table.c.task_id))
        ]
    return found


def quality(db: Connection, viewer: Viewer, by: ByOrigin, span: Span) -> tuple[SiteQuality, ...]:
    """Return what was rejected, retaken, amended, cancelled and read differently, for each clinic or each device of it."""
    mine, traced, compared = answered(db, viewer, span), judged(db, viewer, span), differences(db, viewer, span)
    sites = {one.site for one in mine} | {one.site for one in traced} | {one.institution for one in compared}
    return quality_of(mine, traced, compared, by, _places(db, sites))


def discordance(db: Connection, viewer: Viewer, by: ByReading, span: Span) -> tuple[Discordance, ...]:
    """Return how readings compared, for each reader, lane, clinic, hospital or month."""
    found = differences(db, viewer, span)
    names: dict[str, str] = {}
    if by is ByReading.READER:
        names = {id_: person.name for id_, person in people_by_id(db, {one.reader for one in found}).items()}
    elif by in {ByReading.INSTITUTION, ByReading.PERFORMER}:
        names = _places(db, {id_ for one in found for id_ in (one.institution, one.performer)})
    return discordance_of(found, by, names)


#: What each study came by: the source of its first instance.
_DEVICE = (
    select(study_table.c.institution, study_table.c.study_instance_uid, func.min(instance_table.c.source).label("source"))
    .join(series_table, series_table.c.study_id == study_table.c.id)
    .join(instance_table, instance_table.c.series_id == series_table.c.id)
    .where(instance_table.c.received_at == study_table.c.first_received_at)
    .group_by(study_table.c.institution, study_table.c.study_instance_uid)
    .subquery()
)


def _of_task() -> ColumnElement[bool]:
    return and_(
        _DEVICE.c.institution == task_table.c.institution_id, _DEVICE.c.study_instance_uid == task_table.c.study_instance_uid
    )


def _fate(statuses: set[str]) -> dict[str, bool]:
    """Return what became of a report whose versions have these *statuses*."""
    cancelled = ReportStatus.CANCELLED in statuses
    reported = ReportStatus.FINAL in statuses and not cancelled
    return {"reported": reported, "amended": reported and not REVISED.isdisjoint(statuses), "cancelled": cancelled}


def _scored(
    task_id: ColumnElement[Any], score: ColumnElement[Any], author_id: ColumnElement[Any], at: ColumnElement[Any]
) -> Select[Any]:
    clock = turnaround_table.c
    columns = task_id.label("task_id"), score.label("score"), author_id.label("author_id"), at.label("at")
    return (
        select(*columns, clock.lane, clock.institution, clock.performer, _DEVICE.c.source)
        .join(turnaround_table, clock.task_id == task_id)
        .join(task_table, task_table.c.id == task_id)
        .join(_DEVICE, _of_task(), isouter=True)
    )


def _wanted(span: Span) -> ColumnElement[bool]:
    clock = turnaround_table.c
    wanted: ColumnElement[bool] = true()
    if span.lane is not None:
        wanted &= clock.lane == span.lane
    if span.institution is not None:
        wanted &= or_(clock.institution == span.institution, clock.performer == span.institution)
    return wanted


def _answers_for_all(viewer: Viewer) -> bool:
    return bool(viewer.roles & {Role.REGULATOR, Role.ADMIN})


def _places(db: Connection, ids: set[str]) -> dict[str, str]:
    return {id_: place.name for id_, place in institutions_by_id(db, ids).items()}
