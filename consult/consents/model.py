"""What a consent is, and whether it lets a study be sent to another institution."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telemed.kernel.errors import Invalid, Refused

LONGEST_NOTE = 4000
LONGEST_NAME = 100


class ConsentKind(StrEnum):
    """How the patient agreed that their data go to the other institution."""

    WRITTEN = "written"
    GUARDIAN = "guardian"
    EMERGENCY = "emergency"  # nobody could be asked: the note must say why, and the audit trail keeps it
    STANDING = "standing"  # kept on paper at the clinic, under the agreement that lets its studies be routed by themselves


class Scope(StrEnum):
    """What was agreed to, each on its own.

    A study is sent only with TRANSFER. The others are what the paper says: rounds are not recorded, and nothing is exported
    for teaching; what does either has to ask for its scope first.
    """

    TRANSFER = "transfer"
    RECORDING = "recording"
    TEACHING = "teaching"


class EvidenceKind(StrEnum):
    """What shows that it was agreed to."""

    PAPER = "paper"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Consent:
    """The consent as the inviting side gives it; *guardian* and their *relation* where the patient could not agree."""

    kind: ConsentKind
    note: str = ""
    guardian: str = ""
    relation: str = ""
    scopes: frozenset[Scope] = frozenset({Scope.TRANSFER})


@dataclass(frozen=True)
class Evidence:
    """A photograph of the paper, or a drawn signature; *content* stands apart."""

    kind: EvidenceKind
    media_type: str
    sha256: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True)
class KeptConsent:
    """A consent as it is kept for one study of an institution."""

    id: str
    institution_id: str
    study_instance_uid: str
    kind: ConsentKind
    note: str
    guardian: str
    relation: str
    scopes: tuple[Scope, ...]
    recorded_by: str
    recorded_at: datetime
    revoked_at: datetime | None
    revoked_reason: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Standing:
    """The patients' papers of a clinic are kept by *keeper_id* there: its studies may be routed under that agreement."""

    id: str
    agreement_id: str
    keeper_id: str
    note: str
    recorded_at: datetime
    ended_at: datetime | None


def sufficient(consent: Consent | None) -> Consent:
    """Return a consent that lets a study be sent; Refused with what is missing, Invalid for a text that is too long."""
    if consent is None:
        raise Refused(
            "the patient's written consent is missing: record it, or name the emergency that leaves no time to ask",
            code="consent-missing",
        )
    if consent.kind is ConsentKind.STANDING:
        raise Refused("a standing consent is for routed studies only: record this patient's own", code="consent-missing")
    if consent.kind is ConsentKind.EMERGENCY and not consent.note.strip():
        raise Refused("an emergency without consent needs its reason in writing", code="consent-missing")
    if consent.kind is ConsentKind.GUARDIAN and not (consent.guardian.strip() and consent.relation.strip()):
        raise Refused("a guardian's consent needs the guardian's name and relation to the patient", code="consent-missing")
    if Scope.TRANSFER not in consent.scopes:
        raise Refused("the patient has not agreed that their data go to another institution", code="consent-missing")
    if len(consent.note) > LONGEST_NOTE or max(len(consent.guardian), len(consent.relation)) > LONGEST_NAME:
        raise Invalid(
            f"a text of the consent is too long: at most {LONGEST_NOTE} characters for the note, {LONGEST_NAME} for a name"
        )
    return consent


#: The largest photograph of a paper; a browser sends it scaled down.
LARGEST_EVIDENCE = 1 << 20
_BEGINNINGS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}


def evidence_of(kind: EvidenceKind, media_type: str, content: bytes, *, by: str, at: datetime) -> Evidence:
    """Return what is kept beside *content*, which is never decoded here; Invalid when it is no JPEG or PNG, or too large."""
    beginning = _BEGINNINGS.get(media_type)
    if beginning is None or not content.startswith(beginning) or len(content) > LARGEST_EVIDENCE:
        raise Invalid(f"send a JPEG or PNG of at most {LARGEST_EVIDENCE >> 20} MB", code="evidence")
    return Evidence(kind, media_type, hashlib.sha256(content).hexdigest(), by, at)
