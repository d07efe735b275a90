"""One consultation's clock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select, true

from consult.practitioners.model import Role, Viewer
from consult.turnaround.model import Point, Turnaround
from consult.turnaround.tables import turnaround_table
from telemed.kernel.errors import NotFound


def turnaround(db: Connection, viewer: Viewer, task_id: str, now: datetime) -> Turnaround:
    """Return the clock of one task; NotFound when there is none, or it is of neither of the viewer's institutions."""
    found = db.execute(select(turnaround_table).where(turnaround_table.c.task_id == task_id, concerning(viewer))).first()
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


def concerning(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition over turnaround_table for the clocks *viewer* may see.

    Everybody sees their institution's, the administrator and the regulator every one.
    """
    if viewer.roles & {Role.REGULATOR, Role.ADMIN}:
        return true()
    mine = viewer.institution_id
    return or_(turnaround_table.c.institution == mine, turnaround_table.c.performer == mine)
