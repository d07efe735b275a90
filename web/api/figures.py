"""Figures for those who answer for the service: counts and percentiles, no patient."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, Field

from consult.figures import views
from consult.figures.model import By, Consultation, Score, Span
from consult.quality import views as quality
from consult.quality.model import ByOrigin, ByReading, Difference, Discordance, SiteQuality
from consult.turnaround.model import Figures
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import Invalid
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page

#: What is looked at when nothing is said.
USUAL_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=3660)
#: With one of these a spreadsheet begins to calculate.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class FiguresQuery(Given):
    """Of which consultations: those whose T0 lies in from <= T0 < to; a date alone is its midnight in UTC."""

    since: AwareDatetime | date | None = Field(default=None, alias="from")
    until: AwareDatetime | date | None = Field(default=None, alias="to")
    lane: str | None = Field(default=None, max_length=32)
    institution: str | None = Field(default=None, max_length=64)


Q = TypeVar("Q", bound=FiguresQuery)


class ScoresQuery(FiguresQuery):
    """The same, put together by one thing."""

    by: By = By.LANE


class QualityQuery(FiguresQuery):
    """Of which clinics, or of which of their devices."""

    by: ByOrigin = ByOrigin.SITE


class DiscordanceQuery(FiguresQuery):
    """How readings compared, put together by one thing."""

    by: ByReading = ByReading.READER


@dataclass(frozen=True)
class Scores:
    """One score for each key, in the order of the keys."""

    items: tuple[Score, ...]


async def turnaround_figures(call: Call[FiguresQuery, None]) -> Figures:
    """Return counts, P50/P90/P95 of T5 - T0 and the share within target."""
    return await call.view(views.turnaround, call.viewer, _wanted(call))


async def figures_by(call: Call[ScoresQuery, None]) -> Scores:
    """Return counts, percentiles of each stage, refusals, escalations and critical values by lane, place, reader or day."""
    return Scores(await call.view(views.scores, call.viewer, call.query.by, _wanted(call)))


async def quality_figures(call: Call[QualityQuery, None]) -> Page[SiteQuality]:
    """Return what was rejected, taken again, amended, cancelled and read differently, by clinic or device."""
    return Page(await call.view(quality.quality, call.viewer, call.query.by, _wanted(call)))


async def discordance_figures(call: Call[DiscordanceQuery, None]) -> Page[Discordance]:
    """Return how readings compared (RADPEER), by reader, lane, clinic, hospital or month of the comparison."""
    return Page(await call.view(quality.discordance, call.viewer, call.query.by, _wanted(call)))


async def quality_csv(call: Call[QualityQuery, None]) -> web.Response:
    """Return a line for each clinic or device as CSV."""
    lines = await call.view(quality.quality, call.viewer, call.query.by, _wanted(call))
    return _file("quality.csv", SiteQuality, lines)


async def differences_csv(call: Call[FiguresQuery, None]) -> web.Response:
    """Return a line for each comparison of two readings, without the patient, as CSV."""
    lines = await call.view(quality.differences, call.viewer, _wanted(call))
    return _file("discordance.csv", Difference, lines)


async def figures_csv(call: Call[FiguresQuery, None]) -> web.Response:
    """Return a line for each consultation, without its patient, as CSV that a spreadsheet opens."""
    lines = await call.view(views.consultations, call.viewer, _wanted(call))
    return _file("consultations.csv", Consultation, lines)


def _file(name: str, kind: type[Any], lines: Iterable[Any]) -> web.Response:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(text=_csv(kind, lines), content_type="text/csv", charset="utf-8", headers=named)


def _csv(kind: type[Any], lines: Iterable[Any]) -> str:
    # The mark at the beginning lets a spreadsheet read UTF-8.
    file = io.StringIO()
    file.write("\ufeff")
    writer = csv.writer(file)
    writer.writerow(field.name for field in fields(kind))
    writer.writerows([_cell(value) for value in astuple(line)] for line in lines)
    return file.getvalue()


def _cell(value: object) -> object:
    """Return what a cell holds: a moment as RFC 3339, and no text that a spreadsheet would take for a formula."""
    if isinstance(value, datetime):
        return rfc3339(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _wanted(call: Call[Q, None]) -> Span:
    query, now = call.query, call.request.app[keys.CLOCK].now()
    until = _moment(query.until) or now + timedelta(seconds=1)
    since = _moment(query.since) or until - USUAL_SPAN
    if not timedelta() < until - since <= LONGEST_SPAN:
        raise Invalid(f"`to` must come after `from`, by at most {LONGEST_SPAN.days} days", code="span")
    return Span(since, until, query.lane or None, query.institution or None)


def _moment(given: datetime | date | None) -> datetime | None:
    if given is None or isinstance(given, datetime):
        return given
    return datetime.combine(given, time(), UTC)


OPERATIONS = (
    Operation("GET", "/figures/turnaround", turnaround_figures, Permission.READ_FIGURES),
    Operation("GET", "/figures/scores", figures_by, Permission.READ_FIGURES),
    Operation("GET", "/figures/consultations.csv", figures_csv, Permission.READ_FIGURES, produces="text/csv"),
    Operation("GET", "/figures/quality", quality_figures, Permission.READ_FIGURES),
    Operation("GET", "/figures/quality.csv", quality_csv, Permission.READ_FIGURES, produces="text/csv"),
    Operation("GET", "/figures/discordance", discordance_figures, Permission.READ_FIGURES),
    Operation("GET", "/figures/discordance.csv", differences_csv, Permission.READ_FIGURES, produces="text/csv"),
)
