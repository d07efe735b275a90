"""Figures for those who answer for the service: counts and percentiles, no patient."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from pydantic import AwareDatetime, Field

from consult.turnaround import views as turnaround
from consult.turnaround.model import Figures
from telemed.kernel.errors import Invalid
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation

#: What is looked at when nothing is said.
USUAL_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=3660)


class FiguresQuery(Given):
    """Of which consultations: those whose T0 lies in from <= T0 < to; a date alone is its midnight in UTC."""

    since: AwareDatetime | date | None = Field(default=None, alias="from")
    until: AwareDatetime | date | None = Field(default=None, alias="to")
    lane: str | None = Field(default=None, max_length=32)
    institution: str | None = Field(default=None, max_length=64)


async def turnaround_figures(call: Call[FiguresQuery, None]) -> Figures:
    """Return counts, P50/P90/P95 of T5 - T0 and the share within target."""
    since, until = _span(call.query, call.request.app[keys.CLOCK].now())
    lane, institution = call.query.lane or None, call.query.institution or None
    return await call.view(turnaround.figures, call.viewer, since=since, until=until, lane=lane, institution=institution)


def _span(query: FiguresQuery, now: datetime) -> tuple[datetime, datetime]:
    until = _moment(query.until) or now + timedelta(seconds=1)
    since = _moment(query.since) or until - USUAL_SPAN
    if not timedelta() < until - since <= LONGEST_SPAN:
        raise Invalid(f"`to` must come after `from`, by at most {LONGEST_SPAN.days} days", code="span")
    return since, until


def _moment(given: datetime | date | None) -> datetime | None:
    if given is None or isinstance(given, datetime):
        return given
    return datetime.combine(given, time(), UTC)


OPERATIONS = (Operation("GET", "/figures/turnaround", turnaround_figures, Permission.READ_FIGURES),)
