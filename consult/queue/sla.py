"""Deadlines: when an answer is due, and what happens on the way there while nobody has given it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from consult.requests.model import Lane
from consult.triage.model import TARGETS

#: How long a claim holds unless its owner's browser renews it.
LEASE = timedelta(seconds=90)


class Rung(StrEnum):
    """To whom a task that nobody has answered is taken."""

    NEXT_DOCTOR = "next-doctor"
    NEXT_HOSPITAL = "next-hospital"
    DUTY_PHONE = "duty-phone"


#: The ladder: after which share of its budget each rung is climbed. The last one is the breach.
LADDER = ((0.50, Rung.NEXT_DOCTOR), (0.75, Rung.NEXT_HOSPITAL), (1.00, Rung.DUTY_PHONE))


def deadline_of(
    lane: Lane, t0: datetime, *, wanted_by: datetime | None = None, targets: Mapping[Lane, timedelta] = TARGETS
) -> datetime:
    """Return when an answer is due: T0 plus the lane's target, or the date a dated lane was given."""
    return t0 + targets[lane] if wanted_by is None else max(t0, wanted_by)


def climbs_at(due_at: datetime, budget: timedelta, climbed: int) -> datetime | None:
    """Return when the next rung is due once *climbed* are behind; None after the last."""
    return due_at - budget * (1 - LADDER[climbed][0]) if climbed < len(LADDER) else None
