"""What a report is: a draft, a signed version, and what its signature covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from consult.phrases.model import Region, blanks_in
from consult.practitioners.model import Institution, Person
from consult.queue.model import Stage
from consult.requests.model import Kind, Patient
from ecg.analysis import Text
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import Conflict, Invalid

LONGEST_TEXT = 20_000
MOST_KEY_IMAGES = 12
LONGEST_UID = 64

#: A report answers in the kind it was asked for or in the other one, in the request's own words; the reader decides.
ReportKind = Kind


#: The regions in which several may read one study at once, as its report names them, in the report's order.
REGION_NAMES: Mapping[Region, Text] = {
    Region.HEAD: Text("头部", "Head"),
    Region.NECK: Text("颈部", "Neck"),
    Region.CHEST: Text("胸部", "Chest"),
    Region.ABDOMEN: Text("腹部", "Abdomen"),
    Region.PELVIS: Text("盆腔", "Pelvis"),
    Region.SPINE: Text("脊柱", "Spine"),
    Region.LIMB: Text("四肢", "Extremities"),
}


class ReportStatus(StrEnum):
    """FHIR DiagnosticReport.status, as far as we go.

    *amended* tells what was learned since, *corrected* mends an error, *appended* leaves every word and adds to them. Of what
    is *cancelled* here, withdrawn after it was signed, FHIR R4 says entered-in-error.
    """

    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    APPENDED = "appended"
    CANCELLED = "cancelled"


class ReportEvent(StrEnum):
    """What can happen to a report."""

    GO_ON = "go-on"
    SIGN = "sign"
    AMEND = "amend"
    CORRECT = "correct"
    APPEND = "append"
    CANCEL = "cancel"


_S, _E = ReportStatus, ReportEvent

#: What becomes of a signed report, once and again.
_MAKES: Mapping[ReportEvent, ReportStatus] = {
    _E.AMEND: _S.AMENDED,
    _E.CORRECT: _S.CORRECTED,
    _E.APPEND: _S.APPENDED,
    _E.CANCEL: _S.CANCELLED,
}

#: Every change is a new version: the state named is that of the version it makes. Nothing follows a cancelled one.
TRANSITIONS: Mapping[tuple[ReportStatus, ReportEvent], ReportStatus] = {
    (_S.PRELIMINARY, _E.GO_ON): _S.PRELIMINARY,
    (_S.PRELIMINARY, _E.SIGN): _S.FINAL,
    **{(status, event): made for status in (_S.FINAL, _S.AMENDED, _S.CORRECTED, _S.APPENDED) for event, made in _MAKES.items()},
}

#: By which event the log tells of each version.
NEWS: Mapping[ReportStatus, str] = {
    _S.PRELIMINARY: "ReportPreliminary",
    _S.FINAL: "ReportSigned",
    _S.AMENDED: "ReportAmended",
    _S.CORRECTED: "ReportCorrected",
    _S.APPENDED: "ReportAppended",
    _S.CANCELLED: "ReportCancelled",
}

#: The versions that replace a signed one; the clock of record ended with that.
REPLACING = frozenset(_MAKES.values())
#: Those of them whose content is another than before: what figures call amended.
REVISED = REPLACING - {_S.CANCELLED}


class Withdrawal(StrEnum):
    """Why a report is cancelled."""

    WRONG_PATIENT = "wrong-patient"
    WRONG_STUDY = "wrong-study"
    SIGNED_IN_ERROR = "signed-in-error"
    OTHER = "other"


def status_after(status: ReportStatus, event: ReportEvent) -> ReportStatus:
    """Return the state of the version that *event* makes of a report that is *status*."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise Conflict(f"a report that is {status} cannot take the step {event}", code="report-state") from None


@dataclass(frozen=True)
class KeyImage:
    """One frame the reader chose; *frame* counts from 1, as DICOM does."""

    sop_instance_uid: str
    frame: int = 1


@dataclass(frozen=True)
class Draft:
    """What the reader has written so far. *version* is 0 before anything was saved, and grows by one with each save."""

    findings: str = ""
    impression: str = ""
    kind: Kind | None = None
    critical: bool = False
    key_images: tuple[KeyImage, ...] = ()
    version: int = 0
    saved_at: datetime | None = None


@dataclass(frozen=True)
class EarlierReading:
    """Who read a study, or one region of it, before the one who signed its report, as what, and the digest of what they wrote."""

    stage: Stage
    by: Person
    signed_at: datetime
    content_sha256: str
    region: Region | None = None


@dataclass(frozen=True)
class Signing:
    """Who signed, and when."""

    by: Person
    at: datetime


@dataclass(frozen=True)
class Addendum:
    """What was added to a signed report, by whom and when; it changes no word of what stood there before."""

    text: str
    by: Person
    at: datetime


@dataclass(frozen=True)
class DraftVersion:
    """A version of a draft as a list shows it; *characters* are those of findings and impression."""

    version: int
    saved_at: datetime
    author: Person
    characters: int


@dataclass(frozen=True)
class ReadBack:
    """A critical value as the clinic repeated it: what was said, by whom, when."""

    words: str
    by: Person
    at: datetime


@dataclass(frozen=True)
class Report:
    """One signed version; everything but the delivery is fixed for ever.

    Names are those of the signing; *patient* is as old as on the day of the study. *readings* are those before the signer's.
    *amends* is the id of the version this one replaces, *amended_by* the id of the one that replaces it; *cause* is why it is
    cancelled. *text_signed* tells whose findings and impression they are where this version's signer has not touched them:
    of one with *addenda*, the oldest first, and of a cancelled one. *delivered_at* is T5, *read_at* T6. *content_sha256* covers
    `canonical` of it, *document_sha256* the signed PDF, *images_sha256* the `listing` of what was shown; the last is empty for
    a report older than the signatures.
    """

    id: str
    task_id: str
    study_instance_uid: str
    status: ReportStatus
    version: int
    kind: Kind
    findings: str
    impression: str
    critical: bool
    key_images: tuple[KeyImage, ...]
    signed_at: datetime
    signed_by: Person
    institution: Institution
    performer: Institution
    patient: Patient
    readings: tuple[EarlierReading, ...] = ()
    amends: str | None = None
    reason: str | None = None
    cause: Withdrawal | None = None
    addenda: tuple[Addendum, ...] = ()
    text_signed: Signing | None = None
    study_description: str = ""
    modalities: tuple[str, ...] = ()
    study_at: datetime | None = None
    lane: str = ""
    budget_s: int = 0
    images_sha256: str = ""
    content_sha256: str = ""
    document_sha256: str | None = None
    amended_by: str | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    read_by: Person | None = None
    read_back: ReadBack | None = None

    @property
    def told_to(self) -> dict[str, str]:
        """Return the sides that hear news of it, as every event names them.

        Of a preliminary one only the clinic hears: a colleague may still have to read the study blind.
        """
        preliminary = self.status is ReportStatus.PRELIMINARY
        return {"institution": self.institution.id, "hospital" if preliminary else "performer": self.performer.id}

    @property
    def text_by(self) -> Person:
        """Return who signed its findings and impression."""
        return self.signed_by if self.text_signed is None else self.text_signed.by

    @property
    def withheld(self) -> bool:
        """Whether the clinic has still to repeat the critical value before its document is given out."""
        return self.critical and self.read_back is None


def checked(draft: Draft) -> Draft:
    """Return *draft* with its texts bounded and free of control characters; raise Invalid for what cannot be kept."""
    if len(draft.findings) > LONGEST_TEXT or len(draft.impression) > LONGEST_TEXT:
        raise Invalid(f"the text is too long: at most {LONGEST_TEXT} characters in each part", code="report-too-long")
    if len(draft.key_images) > MOST_KEY_IMAGES:
        raise Invalid(f"too many key images: at most {MOST_KEY_IMAGES}", code="report-too-many-images")
    for image in draft.key_images:
        if not 0 < len(image.sop_instance_uid) <= LONGEST_UID or not 1 <= image.frame <= 100_000:
            raise Invalid("a key image needs a SOP Instance UID and a frame number from 1", code="report-key-image")
    return replace(draft, findings=_printable(draft.findings), impression=_printable(draft.impression))


def signable(draft: Draft) -> Draft:
    """Return *draft* when it may be signed; raise Invalid naming the first thing it lacks."""
    if not draft.findings.strip():
        raise Invalid("the findings (检查所见) are empty: write them before signing", code="findings-missing")
    if not draft.impression.strip():
        raise Invalid("the impression (诊断意见) is empty: write it before signing", code="impression-missing")
    if draft.kind is None:
        raise Invalid("say whether this is 会诊 (advice) or 诊断 (a diagnosis) before signing", code="kind-missing")
    left = blanks_in(draft.findings, draft.impression)
    if left:
        raise Invalid(f"a blank of the template is left, {left[0]}: fill it in before signing", code="blank-left")
    return checked(draft)


def appendable(text: str) -> str:
    """Return the text of an addendum when it may be signed; raise Invalid for one that is empty, too long or has a blank left."""
    if not text.strip():
        raise Invalid("the addendum (补充内容) is empty: write it before signing", code="addendum-missing")
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"the addendum is too long: at most {LONGEST_TEXT} characters", code="report-too-long")
    left = blanks_in(text)
    if left:
        raise Invalid(f"a blank of the template is left, {left[0]}: fill it in before signing", code="blank-left")
    return _printable(text.strip())


def canonical(report: Report) -> bytes:
    """Return what the signature covers: the content as JSON with sorted keys, UTF-8, no spaces.

    Delivery, the documents made of it and a later amendment are left out: they happen afterwards.
    """
    content: dict[str, Any] = {
        "id": report.id,
        "task_id": report.task_id,
        "study_instance_uid": report.study_instance_uid,
        "status": report.status.value,
        "version": report.version,
        "kind": report.kind.value,
        "findings": report.findings,
        "impression": report.impression,
        "critical": report.critical,
        "key_images": [[image.sop_instance_uid, image.frame] for image in report.key_images],
        "signed_at": rfc3339(report.signed_at),
        "signed_by": vars(report.signed_by),
        "institution": vars(report.institution),
        "performer": vars(report.performer),
        "patient": {**vars(report.patient), "birth_date": report.patient.birth_date and report.patient.birth_date.isoformat()},
        "amends": report.amends,
        "reason": report.reason,
        "study_description": report.study_description,
        "modalities": list(report.modalities),
        "study_at": report.study_at and rfc3339(report.study_at),
        "lane": report.lane,
        "budget_s": report.budget_s,
    }
    if report.images_sha256:
        content["images_sha256"] = report.images_sha256
    if report.readings:
        content["readings"] = stored_readings(report.readings)
    if report.cause:
        content["cause"] = report.cause.value
    if report.addenda:
        content["addenda"] = stored_addenda(report.addenda)
    if report.text_signed:
        content["text_signed"] = stored_signing(report.text_signed)
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def stored_readings(readings: tuple[EarlierReading, ...]) -> list[dict[str, Any]]:
    """Return the readings before the signer's as plain JSON."""
    return [
        {"stage": one.stage.value, "by": vars(one.by), "signed_at": rfc3339(one.signed_at), "content_sha256": one.content_sha256}
        | ({"region": one.region.value} if one.region else {})
        for one in readings
    ]


def stored_addenda(addenda: tuple[Addendum, ...]) -> list[dict[str, Any]]:
    """Return the addenda as plain JSON."""
    return [{"text": one.text, "by": vars(one.by), "at": rfc3339(one.at)} for one in addenda]


def stored_signing(signing: Signing) -> dict[str, Any]:
    """Return a signing as plain JSON."""
    return {"by": vars(signing.by), "at": rfc3339(signing.at)}


def listing(digests: Mapping[str, str]) -> str:
    """Return what the signature covers of the images: a line each with SOP Instance UID and the SHA-256 of the stored file."""
    return "".join(f"{uid} {digest}\n" for uid, digest in sorted(digests.items()))


def sealed(report: Report) -> Report:
    """Return *report* with the SHA-256 of its content."""
    return replace(report, content_sha256=hashlib.sha256(canonical(report)).hexdigest())


def _printable(text: str) -> str:
    """Drop what no database and no page can hold: control characters but tab and newline, lone surrogates."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in kept if c in "\n\t" or not (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000))
