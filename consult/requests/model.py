"""What a request is, how urgent and on which lane it may travel, and about whom it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum

from consult.consents.model import Consent, ConsentKind
from consult.practitioners.model import Expertise
from telemed.kernel.errors import Invalid

#: The whole country has one zone: days and spoken hours are counted in it, moments are kept in UTC.
HOUSE_ZONE = timezone(timedelta(hours=8), "UTC+8")

#: A patient who did not come is looked for a week long, then no more.
WORKLIST_REACHES_BACK = timedelta(days=7)

#: Characters of one text of a request.
LONGEST_REASON = 4000


class Kind(StrEnum):
    """Who decides: 会诊, advice and the inviting clinic decides; 诊断, the invited hospital issues the diagnosis."""

    CONSULTATION = "consultation"
    DIAGNOSIS = "diagnosis"


class Priority(StrEnum):
    """FHIR request-priority."""

    STAT = "stat"
    ASAP = "asap"
    URGENT = "urgent"
    ROUTINE = "routine"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return RANKS[self]


RANKS = {priority: rank for rank, priority in enumerate(Priority)}


class Lane(StrEnum):
    """The way a consultation takes through the house; each has its target."""

    IMAGING = "imaging"
    ECG = "ecg"
    ECG_CRITICAL = "ecg-critical"
    STROKE = "stroke"
    TRAUMA = "trauma"
    CHEST_PAIN = "chest-pain"
    MATERNAL = "maternal"
    ULTRASOUND = "ultrasound"
    PATHOLOGY = "pathology"
    MDT = "mdt"


#: Lanes that carry a date given with the request instead of a budget of minutes.
DATED = frozenset({Lane.PATHOLOGY, Lane.MDT})


class RequestStatus(StrEnum):
    """FHIR ServiceRequest.status, as far as we go."""

    ACTIVE = "active"
    COMPLETED = "completed"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Order:
    """What somebody asks for, before it is a request.

    *reason* is the question; *wanted_by* is needed on the DATED lanes and only there; *wanted* is the expertise wished for.
    The consent is given with it, or was recorded before under *consent_id*. Raises Invalid for a text that is too long,
    or a date missing where the lane carries one.
    """

    study_instance_uid: str
    kind: Kind
    priority: Priority
    lane: Lane
    reason: str
    consent: Consent | None
    wanted_by: datetime | None = None
    wanted: Expertise | None = None
    complaint: str = ""
    history: str = ""
    contraindications: str = ""
    consent_id: str | None = None

    def __post_init__(self) -> None:
        texts = (self.reason, self.complaint, self.history, self.contraindications)
        if max(map(len, texts)) > LONGEST_REASON:
            raise Invalid(f"a text of the request is too long: at most {LONGEST_REASON} characters")
        if (self.wanted_by is not None) != (self.lane in DATED):
            raise Invalid(
                f"the lane {self.lane} needs the date by which an answer is wanted, and only {', '.join(sorted(DATED))} do"
            )


@dataclass(frozen=True)
class ServiceRequest:
    """A request that was placed; *institution_id* asks, *performer_id* answers."""

    id: str
    institution_id: str
    performer_id: str
    study_instance_uid: str
    kind: Kind
    priority: Priority
    lane: Lane
    reason: str
    wanted: Expertise | None
    complaint: str
    history: str
    contraindications: str
    consent_kind: ConsentKind
    consent_note: str
    consent_id: str | None
    standing_id: str | None
    requester_id: str
    placed_at: datetime
    wanted_by: datetime | None
    status: RequestStatus

    @property
    def is_automatic(self) -> bool:
        """Tell whether a routing rule placed it rather than a person."""
        return self.consent_kind is ConsentKind.STANDING


@dataclass(frozen=True)
class Examination:
    """What a modality is to do. *name* is a DICOM name, "WANG^Fang=王芳"; *birth_date* YYYYMMDD or empty; *sex* M, F, O or "".

    An empty *station_aet* leaves open which machine does it. *study_instance_uid* is the one the modality is to use.
    """

    id: str
    institution_id: str
    accession_number: str
    study_instance_uid: str
    patient_id: str
    name: str
    sex: str
    birth_date: str
    modality: str
    station_aet: str
    description: str
    scheduled_at: datetime
    cancelled_at: datetime | None


@dataclass(frozen=True)
class Patient:
    """The patient as a list shows them; *name* is the ideographic one where there is one. *sex* is DICOM's M, F, O or ""."""

    patient_id: str
    name: str
    sex: str
    birth_date: date | None
    age: int | None


@dataclass(frozen=True)
class StudySummary:
    """What a list shows of a study the archive holds."""

    patient: Patient
    modalities: tuple[str, ...]
    description: str
    accession_number: str
    series_count: int
    instance_count: int


def age_on(birth_date: date | None, day: date) -> int | None:
    """Return the age in whole years on *day*; None when the birth date is unknown or lies after it."""
    if birth_date is None or birth_date > day:
        return None
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
