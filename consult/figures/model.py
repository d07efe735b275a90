"""One consultation as a line of figures, and what many of them sum up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consult.requests.model import HOUSE_ZONE
from consult.turnaround.model import Figures, percentile


class Stage(StrEnum):
    """The parts of the way from T0 to T6, each from one point of the clock to another."""

    RECEIVING = "receiving"
    WAITING = "waiting"
    READING = "reading"
    DELIVERY = "delivery"
    OPENING = "opening"


#: Where each stage begins and ends. Waiting counts from T0: a specialist may claim before the last image is there.
BOUNDS: Mapping[Stage, tuple[str, str]] = {
    Stage.RECEIVING: ("T0", "T2"),
    Stage.WAITING: ("T0", "T3"),
    Stage.READING: ("T3", "T4"),
    Stage.DELIVERY: ("T4", "T5"),
    Stage.OPENING: ("T5", "T6"),
}


class By(StrEnum):
    """What consultations are put together by."""

    ALL = "all"
    LANE = "lane"
    INSTITUTION = "institution"
    PERFORMER = "performer"
    READER = "reader"
    DAY = "day"


@dataclass(frozen=True)
class Span:
    """Which consultations: those with since <= T0 < until, of one lane, asked for or answered by one institution."""

    since: datetime
    until: datetime
    lane: str | None = None
    institution: str | None = None


@dataclass(frozen=True)
class Consultation:
    """One consultation without its patient.

    *reader* is who signed it, or holds it; None while nobody does, and to whoever reviews its report blind. *declined* and
    *escalated* count refusals and rungs climbed, *versions* the signed versions of its report but the one that cancelled it;
    *read_back_at* is when the clinic first repeated its critical value.
    """

    task_id: str
    institution: str
    performer: str
    lane: str
    reader: str | None
    T0: datetime
    T1: datetime | None
    T2: datetime | None
    T3: datetime | None
    T4: datetime | None
    T5: datetime | None
    T6: datetime | None
    budget_s: int
    paused_s: int
    declined: int
    escalated: int
    breached: bool
    critical: bool
    read_back_at: datetime | None
    versions: int
    cancelled: bool

    @property
    def answered_at(self) -> datetime | None:
        """T5, None where nothing was delivered or the report does not hold any more: a cancelled one is no answer."""
        return None if self.cancelled else self.T5

    def seconds(self, stage: Stage) -> int | None:
        """Return how long *stage* took, None while it has not ended; 0 where its end came before its beginning."""
        begin, end = (getattr(self, point) for point in BOUNDS[stage])
        return None if begin is None or end is None else max(0, int((end - begin).total_seconds()))


@dataclass(frozen=True)
class Spread:
    """Nearest-rank percentiles in seconds of what ended; None of none."""

    p50_s: int | None
    p90_s: int | None
    p95_s: int | None


@dataclass(frozen=True)
class Score:
    """What the consultations of one *key* sum up to; *key* is a lane, the id of an institution or person, or a day."""

    key: str
    name: str
    turnaround: Figures
    stages: Mapping[Stage, Spread]
    paused_s: int
    declined: int
    escalated: int
    breached: int
    critical: int
    critical_read_back: int
    amended: int
    cancelled: int


KEYS: Mapping[By, Callable[[Consultation], str | None]] = {
    By.ALL: lambda _: "",
    By.LANE: lambda one: one.lane,
    By.INSTITUTION: lambda one: one.institution,
    By.PERFORMER: lambda one: one.performer,
    By.READER: lambda one: one.reader,
    By.DAY: lambda one: f"{one.T0.astimezone(HOUSE_ZONE):%Y-%m-%d}",
}


def scores(consultations: Iterable[Consultation], by: By, names: Mapping[str, str]) -> tuple[Score, ...]:
    """Return one score for each key of *by*, in the order of the keys; what has no key (nobody read it yet) is left out."""
    gathered: dict[str, list[Consultation]] = {}
    for one in consultations:
        key = KEYS[by](one)
        if key is not None:
            gathered.setdefault(key, []).append(one)
    return tuple(_score(key, names.get(key, key), gathered[key]) for key in sorted(gathered))


def _score(key: str, name: str, mine: list[Consultation]) -> Score:
    return Score(
        key=key,
        name=name,
        turnaround=Figures.of((one.T0, one.answered_at, one.budget_s, one.paused_s) for one in mine),
        stages={stage: _spread(one.seconds(stage) for one in mine) for stage in Stage},
        paused_s=sum(one.paused_s for one in mine),
        declined=sum(one.declined for one in mine),
        escalated=sum(one.escalated for one in mine),
        breached=sum(one.breached for one in mine),
        critical=sum(one.critical for one in mine),
        critical_read_back=sum(one.critical and one.read_back_at is not None for one in mine),
        amended=sum(one.versions > 1 for one in mine),
        cancelled=sum(one.cancelled for one in mine),
    )


def _spread(seconds: Iterable[int | None]) -> Spread:
    ordered = sorted(each for each in seconds if each is not None)
    return Spread(percentile(ordered, 0.50), percentile(ordered, 0.90), percentile(ordered, 0.95))
