"""What may be done with a request: place it, revoke it, close it once it is answered."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import Connection, insert, select, update

from consult.consents.actions import record
from consult.consents.model import ConsentKind, KeptConsent, Standing
from consult.consents.views import consent_by_id
from consult.practitioners.model import SYSTEM, Role, Viewer
from consult.practitioners.views import institution, may_ask
from consult.requests.model import HOUSE_ZONE, LONGEST_REASON, Examination, Order, RequestStatus, ServiceRequest
from consult.requests.tables import examination_table, request_table
from consult.requests.views import request_by_id
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, Refused


def place(
    db: Connection,
    chronicle: Chronicle,
    order: Order,
    *,
    institution_id: str,
    performer_id: str | None,
    service: Role,
    placed_at: datetime,
    standing: Standing | None = None,
    by: Viewer,
) -> ServiceRequest:
    """Place *order* for a study of *institution_id* with the hospital that dispatch chose for *service*, None for nobody.

    A person's order stands on the patient's consent, the server's on the *standing* one under the agreement.

    Raises
    ------
    Refused
        without consent, without an agreement valid on the day, or for somebody of another institution.
    """
    if by != SYSTEM and (by.institution_id != institution_id or not by.roles & {Role.CLINIC, Role.COORDINATOR}):
        raise Refused("only the clinic that examined the patient may ask for this study")
    day = placed_at.astimezone(HOUSE_ZONE).date()
    if performer_id is None or not may_ask(db, institution_id, performer_id, day, service):
        name = institution(db, institution_id).name
        raise Refused(
            f"{name} has no cooperation agreement for a {service} on {day}; ask the administrator to record one",
            code="no-agreement",
        )
    consent = None if by == SYSTEM else _consented(db, chronicle, order, institution_id, by)
    basis = consent or standing
    if basis is None:
        raise Refused("nothing is routed without a standing consent under the agreement", code="consent-missing")
    placed = ServiceRequest(
        id=new_id(),
        institution_id=institution_id,
        performer_id=performer_id,
        study_instance_uid=order.study_instance_uid,
        kind=order.kind,
        priority=order.priority,
        lane=order.lane,
        reason=order.reason.strip(),
        wanted=order.wanted,
        complaint=order.complaint.strip(),
        history=order.history.strip(),
        contraindications=order.contraindications.strip(),
        consent_kind=ConsentKind.STANDING if consent is None else consent.kind,
        consent_note=basis.note,
        consent_id=None if consent is None else consent.id,
        standing_id=None if consent is not None or standing is None else standing.id,
        requester_id=by.practitioner_id,
        placed_at=placed_at,
        wanted_by=order.wanted_by,
        status=RequestStatus.ACTIVE,
    )
    db.execute(insert(request_table).values(asdict(placed)))
    data = {
        **_particulars(placed),
        "consent": placed.consent_kind,
        "consent_note": placed.consent_note,
        "placed_at": rfc3339(placed_at),
    }
    actor, home = by.practitioner_id, by.institution_id
    chronicle.enter(db, "RequestPlaced", placed.id, data, actor=actor, institution=home, entity="ServiceRequest")
    return placed


def schedule(db: Connection, chronicle: Chronicle, plan: Examination, *, by: Viewer) -> None:
    """Put an examination on the worklist of its institution's modalities.

    Raises
    ------
    Invalid
        for a value that no modality could show.
    Conflict
        when the accession number is taken.
    Refused
        for somebody of another institution.
    """
    if by != SYSTEM and (by.institution_id != plan.institution_id or not by.roles & {Role.CLINIC, Role.COORDINATOR}):
        raise Refused("only the institution that examines may schedule an examination")
    institution(db, plan.institution_id)
    _presentable(plan, today=chronicle.clock.now().astimezone(HOUSE_ZONE).date())
    same = examination_table.c.accession_number == plan.accession_number
    mine = examination_table.c.institution_id == plan.institution_id
    if db.execute(select(examination_table.c.id).where(mine, same)).first() is not None:
        raise Conflict(f"the accession number {plan.accession_number} is taken; give another")
    db.execute(insert(examination_table).values(asdict(plan)))
    data = {
        "institution": plan.institution_id,
        "study_instance_uid": plan.study_instance_uid,
        "accession_number": plan.accession_number,
        "modality": plan.modality,
        "scheduled_at": rfc3339(plan.scheduled_at),
    }
    actor, home = by.practitioner_id, by.institution_id
    chronicle.enter(db, "ExaminationScheduled", plan.id, data, actor=actor, institution=home, entity="ServiceRequest")


#: field: (what it is called, longest, may be empty), after the VRs of PS3.5 6.2.
_LIMITS = {
    "accession_number": ("accession number", 16, False),
    "patient_id": ("patient ID", 64, False),
    "name": ("name", 200, False),
    "modality": ("modality", 16, False),
    "station_aet": ("station's AE title", 16, True),
    "description": ("description", 64, True),
}


def _presentable(plan: Examination, today: date) -> None:
    for field, (what, longest, may_be_empty) in _LIMITS.items():
        text = getattr(plan, field)
        if len(text) > longest or not (text or may_be_empty) or "\\" in text or not (text.isprintable()):
            raise Invalid(f"the {what} of an examination has {0 if may_be_empty else 1} to {longest} characters, no backslash")
    if plan.sex not in ("", "M", "F", "O"):
        raise Invalid(f"the sex is M, F, O or empty, not {plan.sex!r}")
    if plan.birth_date:
        _born(plan.birth_date, today)


def _born(digits: str, today: date) -> None:
    if not (digits.isascii() and digits.isdigit() and len(digits) == len("YYYYMMDD")):
        raise Invalid(f"the birth date is written YYYYMMDD, not {digits!r}")
    try:
        born = date.fromisoformat(digits)
    except ValueError:
        raise Invalid(f"the birth date {digits} is no day of the calendar") from None
    if born > today:
        raise Invalid(f"the birth date {born} is still to come")


def revoke(db: Connection, chronicle: Chronicle, request_id: str, *, reason: str, by: Viewer) -> None:
    """Withdraw a request that is still active; Conflict when it no longer is."""
    request = request_by_id(db, request_id)
    if by != SYSTEM and by.institution_id != request.institution_id:
        raise Refused("only the institution that asked may withdraw its request")
    _leave_active(db, request_id, RequestStatus.REVOKED)
    data = {**_particulars(request), "reason": reason[:LONGEST_REASON]}
    actor, home = by.practitioner_id, by.institution_id
    chronicle.enter(db, "RequestRevoked", request_id, data, actor=actor, institution=home, entity="ServiceRequest")


def fulfil(db: Connection, request_id: str) -> None:
    """Close a request that was answered; the event is the report's."""
    _leave_active(db, request_id, RequestStatus.COMPLETED)


def _consented(db: Connection, chronicle: Chronicle, order: Order, institution_id: str, by: Viewer) -> KeptConsent:
    """Return the patient's consent to this order: recorded now, or before; Refused when there is none that stands."""
    study = order.study_instance_uid
    if order.consent_id is None:
        return record(db, chronicle, order.consent, institution_id=institution_id, study_instance_uid=study, by=by)
    kept = consent_by_id(db, order.consent_id)
    if (kept.institution_id, kept.study_instance_uid) != (institution_id, study) or kept.revoked_at is not None:
        raise Refused("this consent is for another study, or was revoked: record the patient's consent", code="consent-missing")
    return kept


def _leave_active(db: Connection, request_id: str, status: RequestStatus) -> None:
    active = (request_table.c.id == request_id) & (request_table.c.status == RequestStatus.ACTIVE)
    if db.execute(update(request_table).where(active).values(status=status)).rowcount == 0:
        raise Conflict("this request is no longer active")


def _particulars(request: ServiceRequest) -> dict[str, str]:
    return {
        "request_id": request.id,
        "study_instance_uid": request.study_instance_uid,
        "institution": request.institution_id,
        "performer": request.performer_id,
        "kind": request.kind,
        "priority": request.priority,
        "lane": request.lane,
    }
