"""The states of a task, who may bring about which, and when it is due."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from telemed.kernel.errors import Conflict


class TaskStatus(StrEnum):
    """FHIR Task.status, as far as we go."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class TaskEvent(StrEnum):
    """What can happen to a task."""

    CLAIM = "claim"
    RELEASE = "release"
    START = "start"
    DECLINE = "decline"
    HANDOVER = "handover"
    TAKE_OVER = "take-over"
    ASK = "ask"
    ANSWER = "answer"
    GO_ON = "go-on"
    SIGN = "sign"
    CANCEL = "cancel"
    REVOKE = "revoke"


class Stage(StrEnum):
    """Which reading of a task is awaited; what follows which is decided by `consult.readings`."""

    FIRST = "first"
    SECOND = "second"
    COMPARISON = "comparison"
    ARBITRATION = "arbitration"
    OVER_READ = "over-read"


class Declined(StrEnum):
    """Why a task is sent back; the word travels to the clinic with the reason in the specialist's own words."""

    WRONG_SPECIALTY = "wrong-specialty"
    IMAGES_UNUSABLE = "images-unusable"
    INCOMPLETE = "incomplete"
    NOT_INDICATED = "not-indicated"
    NO_CAPACITY = "no-capacity"
    OTHER = "other"


_S, _E = TaskStatus, TaskEvent

TRANSITIONS: Mapping[tuple[TaskStatus, TaskEvent], TaskStatus] = {
    (_S.REQUESTED, _E.CLAIM): _S.ACCEPTED,
    (_S.REQUESTED, _E.DECLINE): _S.REQUESTED,
    (_S.REQUESTED, _E.CANCEL): _S.CANCELLED,
    (_S.ACCEPTED, _E.RELEASE): _S.REQUESTED,
    (_S.ACCEPTED, _E.START): _S.IN_PROGRESS,
    (_S.ACCEPTED, _E.DECLINE): _S.REQUESTED,
    (_S.ACCEPTED, _E.HANDOVER): _S.ACCEPTED,
    (_S.ACCEPTED, _E.TAKE_OVER): _S.ACCEPTED,
    (_S.ACCEPTED, _E.ASK): _S.ON_HOLD,
    (_S.ACCEPTED, _E.CANCEL): _S.CANCELLED,
    (_S.IN_PROGRESS, _E.RELEASE): _S.REQUESTED,
    (_S.IN_PROGRESS, _E.DECLINE): _S.REQUESTED,
    (_S.IN_PROGRESS, _E.HANDOVER): _S.ACCEPTED,
    (_S.IN_PROGRESS, _E.TAKE_OVER): _S.ACCEPTED,
    (_S.IN_PROGRESS, _E.ASK): _S.ON_HOLD,
    (_S.IN_PROGRESS, _E.GO_ON): _S.REQUESTED,
    (_S.IN_PROGRESS, _E.SIGN): _S.COMPLETED,
    (_S.ON_HOLD, _E.ANSWER): _S.IN_PROGRESS,
    (_S.ON_HOLD, _E.DECLINE): _S.REQUESTED,
    (_S.ON_HOLD, _E.CANCEL): _S.CANCELLED,
    (_S.REQUESTED, _E.REVOKE): _S.CANCELLED,
    (_S.ACCEPTED, _E.REVOKE): _S.CANCELLED,
    (_S.IN_PROGRESS, _E.REVOKE): _S.CANCELLED,
    (_S.ON_HOLD, _E.REVOKE): _S.CANCELLED,
}

#: States in which somebody still waits for an answer.
OPEN = (_S.REQUESTED, _S.ACCEPTED, _S.IN_PROGRESS, _S.ON_HOLD)

#: Open states in which the specialists' time passes; on hold the clinic is to answer.
RUNNING = (_S.REQUESTED, _S.ACCEPTED, _S.IN_PROGRESS)

#: States in which somebody holds the task by a lease that they renew.
LEASED = (_S.ACCEPTED, _S.IN_PROGRESS)

#: States in which somebody holds the task.
HELD = (*LEASED, _S.ON_HOLD)

#: How a refused event is said.
WORDS: Mapping[TaskEvent, str] = {
    _E.CLAIM: "claimed",
    _E.RELEASE: "released",
    _E.START: "started",
    _E.DECLINE: "declined",
    _E.HANDOVER: "handed over",
    _E.TAKE_OVER: "taken over",
    _E.ASK: "asked about",
    _E.ANSWER: "answered",
    _E.GO_ON: "passed on",
    _E.SIGN: "signed",
    _E.CANCEL: "cancelled",
    _E.REVOKE: "revoked",
}


def status_after(status: TaskStatus, event: TaskEvent) -> TaskStatus:
    """Return the state of a task once *event* has happened to it; Conflict when it cannot happen now."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise Conflict(f"a task that is {status} cannot be {WORDS[event]}", code="task-state") from None
