"""Duties, promised hours, changes; and what follows from them: who is there, and which hours nobody covers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from consult.practitioners.model import Role
from consult.requests.model import HOUSE_ZONE, Lane

HOUR = timedelta(hours=1)


class DutyKind(StrEnum):
    """值班 at the screen, 备班 to be called, 休假 away whatever else is planned."""

    DUTY = "duty"
    STANDBY = "standby"
    HOLIDAY = "holiday"


class ChangeKind(StrEnum):
    """换班, two people exchange their duties; 替班, one takes the other's."""

    SWAP = "swap"
    STAND_IN = "stand-in"


class ChangeStatus(StrEnum):
    """A change holds once both have agreed."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    REFUSED = "refused"


class Availability(StrEnum):
    """Whether somebody is there for a question of a lane at a moment."""

    DUTY = "duty"
    STANDBY = "standby"
    UNPLANNED = "unplanned"  # their hospital keeps no rota for the specialty: whoever works there is taken to be there
    OFF = "off"
    AWAY = "away"


@dataclass(frozen=True)
class Duty:
    """One stretch of one person's rota, *ends_at* not included; a *lane* narrows it, None is every lane of the specialty."""

    id: str
    institution_id: str
    practitioner_id: str
    specialty: Role
    lane: Lane | None
    kind: DutyKind
    starts_at: datetime
    ends_at: datetime

    def holds(self, at: datetime, lane: Lane | None = None) -> bool:
        """Tell whether the moment and the lane are its."""
        return self.starts_at <= at < self.ends_at and (self.lane is None or lane is None or self.lane is lane)


@dataclass(frozen=True)
class Promise:
    """The hours that a hospital covers for a specialty: *days* has a 1 for each day from Monday on, in the house's zone.

    *until_hour* is not included; 24 ends with the day.
    """

    institution_id: str
    specialty: Role
    days: str
    from_hour: int
    until_hour: int

    def hours(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the beginning of each promised hour with since < end and begin < until."""
        day = since.astimezone(HOUSE_ZONE).date()
        while (midnight := datetime.combine(day, time(), HOUSE_ZONE)) < until:
            if self.days[day.weekday()] == "1":
                for hour in range(self.from_hour, self.until_hour):
                    begins = midnight + hour * HOUR
                    if since < begins + HOUR and begins < until:
                        yield begins.astimezone(UTC)
            day += timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """A stretch of time, *until* not included."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Change:
    """A swap or a stand-in as it stands; *giver_id* has the duty, *taker_id* is to have it."""

    id: str
    kind: ChangeKind
    duty_id: str
    other_duty_id: str | None
    giver_id: str
    taker_id: str
    reason: str
    giver_agreed_at: datetime | None
    taker_agreed_at: datetime | None
    status: ChangeStatus


def availability(duties: Sequence[Duty], at: datetime, lane: Lane) -> Availability:
    """Return what the duties of one person say of a moment; a holiday overrules them all."""
    kinds = {duty.kind for duty in duties if duty.holds(at, lane) or (duty.kind is DutyKind.HOLIDAY and duty.holds(at))}
    for kind, found in (
        (DutyKind.HOLIDAY, Availability.AWAY),
        (DutyKind.DUTY, Availability.DUTY),
        (DutyKind.STANDBY, Availability.STANDBY),
    ):
        if kind in kinds:
            return found
    return Availability.OFF


def uncovered(promise: Promise, duties: Iterable[Duty], since: datetime, until: datetime) -> tuple[datetime, ...]:
    """Return the promised hours, by their beginning, in which for a moment at least nobody is on duty or standby."""
    covered = joined(_presence([duty for duty in duties if duty.specialty is promise.specialty]))
    hours = promise.hours(since, until)
    return tuple(hour for hour in hours if not any(span.since <= hour and hour + HOUR <= span.until for span in covered))


def spans_of(hours: Iterable[datetime]) -> tuple[Span, ...]:
    """Return hours in ascending order as stretches without a break."""
    return joined(Span(hour, hour + HOUR) for hour in hours)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the union of *spans*, in order, those that touch made one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: each.since):
        if found and span.since <= found[-1].until:
            found[-1] = Span(found[-1].since, max(found[-1].until, span.until))
        else:
            found.append(span)
    return tuple(found)


def _presence(duties: Sequence[Duty]) -> Iterator[Span]:
    """Yield when each person is there: their duties for every lane, less their holidays."""
    for duty in duties:
        if duty.kind is DutyKind.HOLIDAY or duty.lane is not None:
            continue
        away = [each for each in duties if each.kind is DutyKind.HOLIDAY and each.practitioner_id == duty.practitioner_id]
        since = duty.starts_at
        for holiday in sorted(away, key=lambda each: each.starts_at):
            if holiday.starts_at > since:
                yield Span(since, min(holiday.starts_at, duty.ends_at))
            since = max(since, holiday.ends_at)
        if since < duty.ends_at:
            yield Span(since, duty.ends_at)
