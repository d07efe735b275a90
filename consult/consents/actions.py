"""What may be done with a consent: record it, show it, revoke it; and let a clinic's studies be routed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from consult.consents.model import (
    LONGEST_NOTE,
    Consent,
    ConsentKind,
    EvidenceKind,
    KeptConsent,
    Standing,
    evidence_of,
    sufficient,
)
from consult.consents.tables import consent_table, evidence_table, standing_table
from consult.consents.views import consent_by_id
from consult.practitioners.model import Role, Viewer
from consult.practitioners.tables import agreement_table
from consult.practitioners.views import practitioner
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused

GRANTING = frozenset({Role.CLINIC, Role.COORDINATOR})


def record(
    db: Connection, chronicle: Chronicle, consent: Consent | None, *, institution_id: str, study_instance_uid: str, by: Viewer
) -> KeptConsent:
    """Keep the consent for a study of the viewer's institution; an emergency is marked as one in the trail.

    Raises what `consents.model.sufficient` raises, and Refused for somebody of another institution.
    """
    consent = sufficient(consent)
    if by.institution_id != institution_id or not by.roles & GRANTING:
        raise Refused("only the clinic that examined the patient may record their consent")
    kept = KeptConsent(
        id=new_id(),
        institution_id=institution_id,
        study_instance_uid=study_instance_uid,
        kind=consent.kind,
        note=consent.note.strip(),
        guardian=consent.guardian.strip(),
        relation=consent.relation.strip(),
        scopes=tuple(sorted(consent.scopes)),
        recorded_by=by.practitioner_id,
        recorded_at=chronicle.clock.now(),
        revoked_at=None,
        revoked_reason="",
    )
    values = {name: value for name, value in vars(kept).items() if name != "evidence"}
    db.execute(insert(consent_table).values(values))
    type_ = "ConsentOverridden" if consent.kind is ConsentKind.EMERGENCY else "ConsentRecorded"
    _enter(db, chronicle, type_, kept, by, scopes=list(kept.scopes), note=kept.note)
    return kept


def show(
    db: Connection, chronicle: Chronicle, consent_id: str, kind: EvidenceKind, *, media_type: str, content: bytes, by: Viewer
) -> KeptConsent:
    """Keep a photograph of the paper, or the drawn signature; what was kept once is never replaced (Conflict)."""
    consent = _mine(db, consent_id, by)
    if any(one.kind is kind for one in consent.evidence):
        raise Conflict(f"this consent has a {kind} already; record a new consent instead", code="evidence-kept")
    evidence = evidence_of(kind, media_type, content, by=by.practitioner_id, at=chronicle.clock.now())
    db.execute(insert(evidence_table).values(consent_id=consent_id, content=content, **vars(evidence)))
    _enter(db, chronicle, "ConsentShown", consent, by, evidence=kind, sha256=evidence.sha256)
    return consent_by_id(db, consent_id)


def revoke(db: Connection, chronicle: Chronicle, consent_id: str, *, reason: str, by: Viewer) -> KeptConsent:
    """Take note that the patient has revoked their consent; Conflict when it was already."""
    consent = _mine(db, consent_id, by)
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_NOTE:
        raise Invalid("say how the patient revoked it", code="reason-missing")
    now = chronicle.clock.now()
    standing = (consent_table.c.id == consent_id) & consent_table.c.revoked_at.is_(None)
    if db.execute(update(consent_table).where(standing).values(revoked_at=now, revoked_reason=reason)).rowcount == 0:
        raise Conflict("this consent was revoked already", code="consent-revoked")
    _enter(db, chronicle, "ConsentRevoked", consent, by, reason=reason)
    return consent_by_id(db, consent_id)


def let_route(db: Connection, chronicle: Chronicle, agreement_id: str, *, keeper_id: str, note: str = "", by: Viewer) -> Standing:
    """Let the clinic's studies be routed under an agreement: *keeper_id*, a person of the clinic, keeps the patients' papers.

    A later one under the same agreement takes the earlier one's place.
    """
    if Role.ADMIN not in by.roles:
        raise Refused("only an administrator may do this")
    clinic = db.scalar(select(agreement_table.c.institution_id).where(agreement_table.c.id == agreement_id))
    if clinic is None:
        raise NotFound("there is no such agreement")
    keeper = practitioner(db, keeper_id)
    if keeper.institution.id != clinic:
        raise Refused(f"{keeper.name} does not work at the clinic whose patients' papers are kept")
    _end(db, chronicle, agreement_id)
    standing = Standing(new_id(), agreement_id, keeper_id, note.strip()[:LONGEST_NOTE], chronicle.clock.now(), None)
    db.execute(insert(standing_table).values(vars(standing)))
    data = {"institution": clinic, "agreement_id": agreement_id, "keeper": keeper_id}
    actor, home = by.practitioner_id, by.institution_id
    chronicle.enter(db, "RoutingAllowed", standing.id, data, actor=actor, institution=home, entity="Consent")
    return standing


def end_routing(db: Connection, chronicle: Chronicle, agreement_id: str, *, by: Viewer) -> None:
    """Let nothing be routed under an agreement any more; NotFound when nothing was."""
    if Role.ADMIN not in by.roles:
        raise Refused("only an administrator may do this")
    if not _end(db, chronicle, agreement_id):
        raise NotFound("nothing is routed under this agreement")
    data = {"agreement_id": agreement_id}
    actor, home = by.practitioner_id, by.institution_id
    chronicle.enter(db, "RoutingEnded", agreement_id, data, actor=actor, institution=home, entity="Consent")


def _end(db: Connection, chronicle: Chronicle, agreement_id: str) -> bool:
    open_ = (standing_table.c.agreement_id == agreement_id) & standing_table.c.ended_at.is_(None)
    return db.execute(update(standing_table).where(open_).values(ended_at=chronicle.clock.now())).rowcount > 0


def _mine(db: Connection, consent_id: str, by: Viewer) -> KeptConsent:
    consent = consent_by_id(db, consent_id)
    if consent.institution_id != by.institution_id or not by.roles & GRANTING:
        raise NotFound("there is no such consent", code="consent")
    return consent


def _enter(db: Connection, chronicle: Chronicle, type_: str, consent: KeptConsent, by: Viewer, **news: Any) -> None:  # noqa: ANN401 - plain JSON
    data = {
        "consent_id": consent.id,
        "institution": consent.institution_id,
        "study_instance_uid": consent.study_instance_uid,
        "consent": consent.kind,
        **news,
    }
    chronicle.enter(db, type_, consent.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="Consent")
