"""One consultation's clock, and the figures of many."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select, true

from consult.practitioners.model import Role, Viewer
from consult.turnaround.model import Figures, Point, Turnaround, percentile
from consult.turnaround.tables import turnaround_table
from telemed.kernel.errors import NotFound


def turnaround(db: Connection, viewer: Viewer, task_id: str, now: datetime) -> Turnaround:
    """Return the clock of one task; NotFound when there is none, or it is of neither of the viewer's institutions."""
    found = db.execute(select(turnaround_table).where(turnaround_table.c.task_id == task_id, _concerning(viewer))).first()
    if found is None:
        raise NotFound("there is no such consultation")
    stamps = {f"T{number}": getattr(found, f"t{number}_at") for number in range(7)}
    elapsed_s = int(((found.t5_at or now) - found.t0_at).total_seconds())
    present_s = int((now - found.paused_since).total_seconds()) if found.paused_since else 0
    return Turnaround(
        **stamps,
        budget_s=found.budget_s,
        elapsed_s=max(0, elapsed_s),
        paused_s=found.paused_s + max(0, present_s),
        paused_since=found.paused_since,
    )


def reached(db: Connection, task_id: str, point: Point) -> datetime | None:
    """Return when *point* was reached, None while it is not."""
    at: datetime | None = db.scalar(select(turnaround_table.c[point.value]).where(turnaround_table.c.task_id == task_id))
    return at


def figures(
    db: Connection, viewer: Viewer, *, since: datetime, until: datetime, lane: str | None = None, institution: str | None = None
) -> Figures:
    """Return the figures of the consultations with since <= T0 < until; no patient is in them.

    Counted in Python, because the two databases have no percentile in common: one narrow row per consultation is read.
    """
    wanted = (turnaround_table.c.t0_at >= since) & (turnaround_table.c.t0_at < until) & _concerning(viewer)
    if lane is not None:
        wanted &= turnaround_table.c.lane == lane
    if institution is not None:
        wanted &= or_(turnaround_table.c.institution == institution, turnaround_table.c.performer == institution)
    clock = turnaround_table.c
    rows = db.execute(select(clock.t0_at, clock.t5_at, clock.budget_s, clock.paused_s).where(wanted)).all()
    taken = [(int((t5_at - t0_at).total_seconds()), budget_s, paused_s) for t0_at, t5_at, budget_s, paused_s in rows if t5_at]
    ordered = sorted(seconds for seconds, _, _ in taken)
    within = sum(seconds - paused_s <= budget_s for seconds, budget_s, paused_s in taken)
    return Figures(
        count=len(rows),
        delivered=len(taken),
        within_target=within,
        within_target_unpaused=sum(seconds <= budget_s for seconds, budget_s, _ in taken),
        share_within_target=within / len(taken) if taken else None,
        p50_s=percentile(ordered, 0.50),
        p90_s=percentile(ordered, 0.90),
        p95_s=percentile(ordered, 0.95),
    )


def _concerning(viewer: Viewer) -> ColumnElement[bool]:
    """Everybody sees their institution's clocks, the administrator and the regulator every one."""
    if viewer.roles & {Role.REGULATOR, Role.ADMIN}:
        return true()
    mine = viewer.institution_id
    return or_(turnaround_table.c.institution == mine, turnaround_table.c.performer == mine)
