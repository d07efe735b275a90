"""The stages of a task that is read more than once, and the scale by which two readings are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consult.practitioners.model import Person, Role
from consult.queue.model import Stage
from consult.reports.model import KeyImage
from consult.requests.model import Kind, Lane
from telemed.kernel.errors import Conflict


class Protocol(StrEnum):
    """How many read a study before its report is final."""

    SINGLE = "single"
    DOUBLE = "double"
    SUPERVISED = "supervised"


class Radpeer(StrEnum):
    """How far two readings of one study differ.

    The scores of the ACR's RADPEER as revised in 2016 (Goldberg-Stein et al., J Am Coll Radiol 2017;14:1080-1086), which has
    no score 4 any more: 1 concur; 2 a discrepancy in interpretation that is not ordinarily expected to be made, 3 one that
    should be made most of the time; each a, unlikely, or b, likely to be clinically significant.
    """

    CONCUR = "1"
    UNDERSTANDABLE = "2a"
    UNDERSTANDABLE_SIGNIFICANT = "2b"
    EXPECTED = "3a"
    EXPECTED_SIGNIFICANT = "3b"

    @property
    def is_discrepant(self) -> bool:
        """Tell whether the two differ at all."""
        return self is not Radpeer.CONCUR

    @property
    def is_significant(self) -> bool:
        """Tell whether the difference is likely to matter to the patient: then a third decides."""
        return self in {Radpeer.UNDERSTANDABLE_SIGNIFICANT, Radpeer.EXPECTED_SIGNIFICANT}


#: What follows the first reading.
AFTER_FIRST: Mapping[Protocol, Stage | None] = {
    Protocol.SINGLE: None,
    Protocol.DOUBLE: Stage.SECOND,
    Protocol.SUPERVISED: Stage.OVER_READ,
}
#: What follows the signature of a later one; None: the report is final.
AFTER: Mapping[Stage, Stage | None] = {Stage.SECOND: Stage.COMPARISON, Stage.ARBITRATION: None, Stage.OVER_READ: None}


def protocol_of(*, double: bool, in_training: bool) -> Protocol:
    """Return how a study is read whose task a rule wants read twice, or not, by a first reader in training, or not.

    Two blind readings and a doctor who compares them already put a doctor's name under what somebody in training wrote.
    """
    if double:
        return Protocol.DOUBLE
    return Protocol.SUPERVISED if in_training else Protocol.SINGLE


def stage_after(stage: Stage, protocol: Protocol) -> Stage | None:
    """Return the stage that follows a signature at *stage*, None when the report is final with it."""
    if stage is Stage.COMPARISON:
        raise Conflict("both readings are signed: compare them", code="comparison-due")
    return AFTER_FIRST[protocol] if stage is Stage.FIRST else AFTER[stage]


def stage_after_comparison(score: Radpeer) -> Stage | None:
    """Return the stage that follows the comparison of two readings, None when the report is final with it."""
    return Stage.ARBITRATION if score.is_significant else None


@dataclass(frozen=True)
class ReadingRule:
    """Which tasks are read twice: those that are everything the rule names; a rule that names nothing means every task."""

    id: str
    agreement_id: str | None = None
    specialty: Role | None = None
    lane: Lane | None = None
    task_id: str | None = None

    def applies(self, *, agreements: Iterable[str], specialty: Role, lane: Lane, task_id: str) -> bool:
        """Tell whether a task of these is one; *agreements* are those under which it was asked."""
        return (
            (self.agreement_id is None or self.agreement_id in agreements)
            and self.specialty in {None, specialty}
            and self.lane in {None, lane}
            and self.task_id in {None, task_id}
        )


@dataclass(frozen=True)
class SignedReading:
    """What one reader wrote and signed before the report was final; *content_sha256* is of its `reports.model.canonical`."""

    id: str
    task_id: str
    stage: Stage
    reader: Person
    findings: str
    impression: str
    kind: Kind
    critical: bool
    key_images: tuple[KeyImage, ...]
    signed_at: datetime
    content_sha256: str


@dataclass(frozen=True)
class ReadingComparison:
    """What whoever compared two readings found, *author* being the first reader; *concordant* made the report final."""

    task_id: str
    score: Radpeer
    comment: str
    author: Person
    by: Person
    at: datetime
    concordant: bool
