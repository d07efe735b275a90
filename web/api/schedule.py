"""The rota: a week of one's hospital, duties, swaps and stand-ins, the hours it promised, and those nobody covers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

from consult.practitioners.model import Role
from consult.requests.model import HOUSE_ZONE, Lane
from consult.schedule import actions, views
from consult.schedule.model import Change, Duty, DutyKind, Promise
from consult.schedule.views import Gap, Week
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page

WEEK = timedelta(days=7)


class WeekQuery(Given):
    """Which seven days, from midnight of *since* in the house's zone; an administrator may name another institution."""

    since: date
    institution: Annotated[str | None, BeforeValidator(lambda value: value or None)] = Field(default=None, max_length=64)


class NewDuty(Given):
    """Who is planned for what; without a lane for every lane of the specialty."""

    practitioner_id: str = Field(max_length=64)
    specialty: Role
    kind: DutyKind
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    lane: Lane | None = None


class PromisedHours(Given):
    """The hours a hospital covers: seven 0 or 1 from Monday on; no day takes the promise back."""

    institution: str = Field(max_length=64)
    specialty: Role
    days: str = Field(pattern=r"^[01]{7}$")
    from_hour: int = Field(ge=0, le=23)
    until_hour: int = Field(ge=1, le=24)


class NewChange(Given):
    """Who is to take a duty, and the duty of theirs that is given for it in a swap."""

    duty_id: str = Field(max_length=64)
    taker_id: str = Field(max_length=64)
    other_duty_id: str | None = Field(default=None, max_length=64)
    reason: str = Field(default="", max_length=actions.LONGEST_REASON)


async def get_week(call: Call[WeekQuery, None]) -> Week:
    """Return seven days of a rota with its promised and its uncovered hours."""
    since = datetime.combine(call.query.since, time(), HOUSE_ZONE).astimezone(UTC)
    place = call.query.institution or call.viewer.institution_id
    return await call.view(views.week, call.viewer, place, since, since + WEEK)


async def plan_duty(call: Call[None, NewDuty]) -> Duty:
    """Enter a duty, a standby or a holiday."""
    given = call.body
    return await call.act(
        actions.plan,
        practitioner_id=given.practitioner_id,
        specialty=given.specialty,
        kind=given.kind,
        starts_at=given.starts_at,
        ends_at=given.ends_at,
        lane=given.lane,
        by=call.viewer,
    )


async def cancel_duty(call: Call[None, None]) -> None:
    """Strike a duty out of the rota."""
    await call.act(actions.cancel, call.part("duty_id"), by=call.viewer)


async def promise_hours(call: Call[None, PromisedHours]) -> None:
    """Say which hours of the week a hospital covers for a specialty."""
    given = call.body
    promise = Promise(given.institution, given.specialty, given.days, given.from_hour, given.until_hour)
    await call.act(actions.promise_hours, promise, by=call.viewer)


async def propose_change(call: Call[None, NewChange]) -> Change:
    """Propose a swap or a stand-in; it holds once both have agreed."""
    given = call.body
    return await call.act(
        actions.propose,
        duty_id=given.duty_id,
        taker_id=given.taker_id,
        other_duty_id=given.other_duty_id,
        reason=given.reason,
        by=call.viewer,
    )


async def agree_to_change(call: Call[None, None]) -> Change:
    """Agree to a swap or stand-in one takes part in."""
    return await call.act(actions.agree, call.part("change_id"), by=call.viewer)


async def refuse_change(call: Call[None, None]) -> None:
    """Refuse a proposed change, or take it back."""
    await call.act(actions.refuse, call.part("change_id"), by=call.viewer)


async def list_gaps(call: Call[None, None]) -> Page[Gap]:
    """List the promised hours of the next day that nobody covers; an administrator sees every institution's."""
    return Page(await call.view(views.gaps, call.viewer))


OPERATIONS = (
    Operation("GET", "/schedule", get_week, Permission.READ_ROTA),
    Operation("POST", "/schedule/duties", plan_duty, Permission.KEEP_ROTA, status=201),
    Operation("DELETE", "/schedule/duties/{duty_id}", cancel_duty, Permission.KEEP_ROTA),
    Operation("PUT", "/schedule/hours", promise_hours, Permission.KEEP_ROTA),
    Operation("POST", "/schedule/changes", propose_change, Permission.READ_ROTA, status=201),
    Operation("POST", "/schedule/changes/{change_id}/agree", agree_to_change, Permission.READ_ROTA),
    Operation("POST", "/schedule/changes/{change_id}/refuse", refuse_change, Permission.READ_ROTA),
    Operation("GET", "/schedule/gaps", list_gaps, Permission.READ_ROTA),
)
