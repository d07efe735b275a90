"""The rules that are compared: who stands first in a queue, and which hospital's queue it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from consult.queue.sla import deadline_of
from consult.requests.model import Lane
from consult.triage.model import READING, TARGETS, Analysis, Urgency, begin_by, urgency
from telemed.simulation.scenario import BEGINS, Case

_CRITICAL = {"code": "critical", "severity": "critical", "text": {"zh": "危急", "en": "critical"}}


@dataclass(frozen=True)
class Asked:
    """A case as triage sees it: its urgency, and when its answer is due."""

    case: Case
    urgency: Urgency
    due_at: datetime

    @property
    def budget(self) -> timedelta:
        """From T0 to the deadline."""
        return TARGETS[self.urgency.lane]


def asked(case: Case) -> Asked:
    """Let the product's triage judge *case*."""
    analyses = (Analysis(str(case.number), {"statements": [_CRITICAL]}),) if case.critical else ()
    found = urgency(case.priority, case.lane, analyses=analyses)
    return Asked(case, found, deadline_of(found.lane, at(case.t0_s)))


def at(seconds: float) -> datetime:
    """Return the moment *seconds* after the beginning."""
    return BEGINS + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Policy:
    """How one house works: the order of a queue, and whether questions are dispatched or all go to the county hospital."""

    name: str
    key: Callable[[Asked], tuple[float, ...]]
    dispatches: bool = False


def _arrival(one: Asked) -> tuple[float, ...]:
    return (one.case.t0_s,)


def _priority(one: Asked) -> tuple[float, ...]:
    return (one.case.priority.rank, one.case.t0_s)


def _begin_by(one: Asked) -> tuple[float, ...]:
    reading = READING[Lane(one.urgency.lane)]
    return (begin_by(one.due_at, one.urgency.priority, reading).timestamp(),)


#: First come, first served; what was asked for first, whatever the machine saw; ours.
POLICIES = (Policy("FIFO", _arrival), Policy("priority", _priority), Policy("telemed", _begin_by, dispatches=True))
