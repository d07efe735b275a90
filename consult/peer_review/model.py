"""Which reports are drawn for review, and what can become of a review."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consult.practitioners.model import Person, Role
from consult.readings.model import Radpeer
from consult.requests.model import HOUSE_ZONE, Kind, Lane, Patient
from telemed.kernel.errors import Conflict, Invalid

#: How many of a hundred reports are drawn where nothing else is set, and between which an administrator may choose.
USUAL_PERCENT, LEAST_PERCENT, MOST_PERCENT = 5, 2, 10
USUAL_SEED = "telemed"
LONGEST_SEED = 64


class ReviewStatus(StrEnum):
    """Where a review stands; *raised* waits for the author of the report."""

    OPEN = "open"
    CLAIMED = "claimed"
    SCORED = "scored"
    RAISED = "raised"
    AMENDED = "amended"
    UPHELD = "upheld"


class ReviewEvent(StrEnum):
    """What can happen to a review."""

    CLAIM = "claim"
    RELEASE = "release"
    SCORE = "score"
    RAISE = "raise"
    AMEND = "amend"
    UPHOLD = "uphold"


_S, _E = ReviewStatus, ReviewEvent

TRANSITIONS: Mapping[tuple[ReviewStatus, ReviewEvent], ReviewStatus] = {
    (_S.OPEN, _E.CLAIM): _S.CLAIMED,
    (_S.CLAIMED, _E.RELEASE): _S.OPEN,
    (_S.CLAIMED, _E.SCORE): _S.SCORED,
    (_S.CLAIMED, _E.RAISE): _S.RAISED,
    (_S.RAISED, _E.AMEND): _S.AMENDED,
    (_S.RAISED, _E.UPHOLD): _S.UPHELD,
}


def status_after(status: ReviewStatus, event: ReviewEvent) -> ReviewStatus:
    """Return the state of a review once *event* has happened to it; Conflict when it cannot happen now."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise Conflict(f"a review that is {status} cannot take the step {event}", code="review-state") from None


def month_of(at: datetime) -> str:
    """Return the month of the house's calendar, as 2026-03."""
    return f"{at.astimezone(HOUSE_ZONE):%Y-%m}"


def drawn(report_id: str, month: str, *, seed: str, percent: int) -> bool:
    """Tell whether a report signed in *month* is among the *percent* of a hundred that are reviewed.

    The same arguments always give the same answer; a report drawn at some share is drawn at every larger one.
    """
    digest = hashlib.sha256(f"{seed}|{month}|{report_id}".encode()).digest()
    return int.from_bytes(digest[:8]) * 100 < percent << 64


@dataclass(frozen=True)
class Sampling:
    """How many of a hundred reports of one specialty are drawn, and by which seed."""

    specialty: Role
    percent: int = USUAL_PERCENT
    seed: str = USUAL_SEED

    def __post_init__(self) -> None:
        if not LEAST_PERCENT <= self.percent <= MOST_PERCENT:
            raise Invalid(f"between {LEAST_PERCENT} and {MOST_PERCENT} of a hundred reports are reviewed", code="percent")
        if not 0 < len(self.seed) <= LONGEST_SEED:
            raise Invalid(f"the seed of the draw has 1 to {LONGEST_SEED} characters", code="seed")


@dataclass(frozen=True)
class Review:
    """One report to be reviewed, with what its reviewer is shown of it: never who wrote it, nor the clinic's name.

    *score*, *comment* and *answer*, the author's word on a miss that was raised, are there once they were given.
    """

    id: str
    report_id: str
    task_id: str
    study_instance_uid: str
    status: ReviewStatus
    month: str
    specialty: Role
    lane: Lane
    kind: Kind
    patient: Patient
    modalities: tuple[str, ...]
    study_description: str
    findings: str
    impression: str
    critical: bool
    reviewer: Person | None
    score: Radpeer | None
    comment: str
    answer: str
    drawn_at: datetime
