"""What one consultation, one recording and one pair of readings say about quality, and what many of them sum up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from consult.queue.model import Declined
from consult.readings.model import Radpeer

#: Refusals that are about what was sent: the reader cannot use it, or needs more of it.
REJECTING = frozenset({Declined.IMAGES_UNUSABLE, Declined.INCOMPLETE})


class Way(StrEnum):
    """How two readings of one study came about."""

    DOUBLE = "double"
    PEER = "peer"


class ByOrigin(StrEnum):
    """What is put together by where a study comes from: the clinic, or the device (AE title or door) of it."""

    SITE = "site"
    DEVICE = "device"


class ByReading(StrEnum):
    """What differences are put together by; *reader* is who wrote what was scored, *month* when it was scored."""

    READER = "reader"
    LANE = "lane"
    INSTITUTION = "institution"
    PERFORMER = "performer"
    MONTH = "month"


@dataclass(frozen=True)
class Answered:
    """One consultation: whether it was *rejected* for its images, *reported*, its report *amended* or *cancelled*.

    Corrections and addenda are amendments; a cancelled report leaves its consultation neither reported nor amended.
    """

    task_id: str
    site: str
    device: str
    rejected: bool
    reported: bool
    amended: bool
    cancelled: bool


@dataclass(frozen=True)
class Judged:
    """One ECG that the couch gate judged: whether it *asked* for another, and whether that came."""

    site: str
    device: str
    asked: bool
    repeated: bool


@dataclass(frozen=True)
class Difference:
    """One report scored against another reading of the same study."""

    task_id: str
    way: Way
    score: Radpeer
    reader: str
    lane: str
    institution: str
    performer: str
    device: str
    month: str


@dataclass(frozen=True)
class SiteQuality:
    """What the studies of one *key*, a clinic or one device of it, sum up to."""

    key: str
    name: str
    consultations: int
    rejected: int
    recordings: int
    retakes_asked: int
    retaken: int
    reports: int
    amended: int
    cancelled: int
    compared: int
    discrepant: int
    significant: int


@dataclass(frozen=True)
class Discordance:
    """How readings of one *key* compared: how often each score was given; the shares are None of none."""

    key: str
    name: str
    compared: int
    scores: Mapping[Radpeer, int] = field(default_factory=dict)
    share_discrepant: float | None = None
    share_significant: float | None = None


_OF_DIFFERENCE: Mapping[ByReading, Callable[[Difference], str]] = {
    ByReading.READER: lambda one: one.reader,
    ByReading.LANE: lambda one: one.lane,
    ByReading.INSTITUTION: lambda one: one.institution,
    ByReading.PERFORMER: lambda one: one.performer,
    ByReading.MONTH: lambda one: one.month,
}

_Of = TypeVar("_Of", Answered, Judged, Difference)


def quality(
    answered: Iterable[Answered],
    judged: Iterable[Judged],
    differences: Iterable[Difference],
    by: ByOrigin,
    names: Mapping[str, str],
) -> tuple[SiteQuality, ...]:
    """Return a line for each clinic, or for each device of each clinic (key CLINIC/DEVICE), in the order of the keys."""

    def key(site: str, device: str) -> str:
        return site if by is ByOrigin.SITE else f"{site}/{device}"

    mine = _gathered(answered, lambda one: key(one.site, one.device))
    traced = _gathered(judged, lambda one: key(one.site, one.device))
    compared = _gathered(differences, lambda one: key(one.institution, one.device))
    return tuple(
        _quality(each, _named(each, names), mine[each], traced[each], compared[each])
        for each in sorted({*mine, *traced, *compared})
    )


def discordance(differences: Iterable[Difference], by: ByReading, names: Mapping[str, str]) -> tuple[Discordance, ...]:
    """Return a line for each key of *by*, in the order of the keys."""
    gathered = _gathered(differences, _OF_DIFFERENCE[by])
    return tuple(_discordance(key, names.get(key, key), gathered[key]) for key in sorted(gathered))


def _gathered(ones: Iterable[_Of], key: Callable[[_Of], str]) -> defaultdict[str, list[_Of]]:
    found: defaultdict[str, list[_Of]] = defaultdict(list)
    for one in ones:
        found[key(one)].append(one)
    return found


def _named(key: str, names: Mapping[str, str]) -> str:
    site, _, device = key.partition("/")
    return " · ".join(filter(None, (names.get(site, site), device)))


def _quality(key: str, name: str, mine: list[Answered], traced: list[Judged], compared: list[Difference]) -> SiteQuality:
    return SiteQuality(
        key=key,
        name=name,
        consultations=len(mine),
        rejected=sum(one.rejected for one in mine),
        recordings=len(traced),
        retakes_asked=sum(one.asked for one in traced),
        retaken=sum(one.repeated for one in traced),
        reports=sum(one.reported for one in mine),
        amended=sum(one.amended for one in mine),
        cancelled=sum(one.cancelled for one in mine),
        compared=len(compared),
        discrepant=sum(one.score.is_discrepant for one in compared),
        significant=sum(one.score.is_significant for one in compared),
    )


def _discordance(key: str, name: str, mine: list[Difference]) -> Discordance:
    scores = {score: sum(one.score is score for one in mine) for score in Radpeer}
    discrepant = sum(one.score.is_discrepant for one in mine) / len(mine)
    significant = sum(one.score.is_significant for one in mine) / len(mine)
    return Discordance(key, name, len(mine), scores, discrepant, significant)
