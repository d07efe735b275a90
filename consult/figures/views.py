"""The consultations of a span as figures."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from consult.figures.model import By, Consultation, Score, Span
from consult.figures.model import scores as scores_of
from consult.practitioners.model import Viewer
from consult.practitioners.views import institutions_by_id, people_by_id
from consult.queue.tables import task_table
from consult.queue.views import blind
from consult.reports.model import ReportStatus
from consult.reports.tables import delivery_table, report_table
from consult.turnaround.model import Figures
from consult.turnaround.tables import turnaround_table
from consult.turnaround.views import concerning


def consultations(db: Connection, viewer: Viewer, span: Span) -> list[Consultation]:
    """Return the consultations of *span* that concern the viewer, by T0; no patient is in them.

    The administrator and the regulator see every one, everybody else those that their institution asked for or answers.
    """
    clock, task = turnaround_table.c, task_table.c
    wanted = (clock.t0_at >= span.since) & (clock.t0_at < span.until) & concerning(viewer)
    if span.lane is not None:
        wanted &= clock.lane == span.lane
    if span.institution is not None:
        wanted &= or_(clock.institution == span.institution, clock.performer == span.institution)
    versions: dict[str, list[Any]] = defaultdict(list)
    report = report_table.c
    reports = select(report.task_id, report.signed_by, report.critical, report.status, delivery_table.c.read_back_at)
    reports = reports.join(turnaround_table, clock.task_id == report_table.c.task_id)
    reports = reports.join(delivery_table, delivery_table.c.report_id == report_table.c.id, isouter=True)
    for row in db.execute(reports.where(wanted).order_by(report_table.c.version)):
        versions[row.task_id].append(row)
    clocks = select(turnaround_table, task.owner_id, task.declined_by, task.escalated, task.breached_at)
    clocks = clocks.add_columns(blind(viewer).label("is_blind"))
    rows = db.execute(clocks.join(task_table, task.id == clock.task_id).where(wanted).order_by(clock.t0_at, clock.task_id))
    return [_consultation(row, versions[row.task_id]) for row in rows]


def scores(db: Connection, viewer: Viewer, by: By, span: Span) -> tuple[Score, ...]:
    """Return the `consultations` of a span put together by *by*, with the names of institutions and people."""
    found = consultations(db, viewer, span)
    names: dict[str, str] = {}
    if by in {By.INSTITUTION, By.PERFORMER}:
        ids = {id_ for one in found for id_ in (one.institution, one.performer)}
        names = {id_: place.name for id_, place in institutions_by_id(db, ids).items()}
    if by is By.READER:
        names = {id_: person.name for id_, person in people_by_id(db, {one.reader for one in found if one.reader}).items()}
    return scores_of(found, by, names)


def turnaround(db: Connection, viewer: Viewer, span: Span) -> Figures:
    """Return the counts and percentiles of T5 - T0 over all `consultations` of a span; a cancelled report counts as none."""
    total = scores_of(consultations(db, viewer, span), By.ALL, {})
    return total[0].turnaround if total else Figures.of([])


def _consultation(row: Row[Any], versions: list[Any]) -> Consultation:
    answers = [version for version in versions if version.status not in {ReportStatus.PRELIMINARY, ReportStatus.CANCELLED}]
    return Consultation(
        task_id=row.task_id,
        institution=row.institution,
        performer=row.performer,
        lane=row.lane,
        reader=_signer(row, answers[0]) if answers else row.owner_id,
        **{f"T{number}": getattr(row, f"t{number}_at") for number in range(7)},
        budget_s=row.budget_s,
        paused_s=row.paused_s,
        declined=len(row.declined_by),
        escalated=row.escalated,
        breached=row.breached_at is not None,
        critical=any(version.critical for version in versions),
        read_back_at=min((version.read_back_at for version in versions if version.read_back_at), default=None),
        versions=len(answers),
        cancelled=any(version.status == ReportStatus.CANCELLED for version in versions),
    )


def _signer(row: Row[Any], answer: Row[Any]) -> str | None:
    return None if row.is_blind else answer.signed_by
