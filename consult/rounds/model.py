"""What a round is and what may happen to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from telemed.kernel.errors import Conflict

#: More people than this are a lecture: a later form of the round.
MOST_PARTICIPANTS = 8


class RoundStatus(StrEnum):
    """FHIR Encounter.status, the two this form knows."""

    OPEN = "open"
    CLOSED = "closed"


class RoundEvent(StrEnum):
    """What may be done to a round."""

    JOIN = "join"
    CLOSE = "close"


TRANSITIONS = {
    (RoundStatus.OPEN, RoundEvent.JOIN): RoundStatus.OPEN,
    (RoundStatus.OPEN, RoundEvent.CLOSE): RoundStatus.CLOSED,
}


@dataclass(frozen=True)
class Round:
    """One round over one study; *institution_id* is the clinic that holds it."""

    id: str
    title: str
    institution_id: str
    study_instance_uid: str
    status: RoundStatus
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None

    def after(self, event: RoundEvent, at: datetime) -> Round:
        """Return the round as it is once *event* has happened; Conflict when it cannot."""
        try:
            status = TRANSITIONS[self.status, event]
        except KeyError:
            raise Conflict(f"this round is {self.status}: nobody can {event} it any more", code="round-closed") from None
        return replace(self, status=status, closed_at=at if status is RoundStatus.CLOSED else None)
