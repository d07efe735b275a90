"""Consents as they are kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, RowMapping, select

from consult.consents.model import ConsentKind, Evidence, EvidenceKind, KeptConsent, Scope, Standing
from consult.consents.tables import consent_table, evidence_table, standing_table
from consult.practitioners.model import Role
from consult.practitioners.views import agreements_of
from telemed.kernel.errors import NotFound

_EVIDENCE = [column for column in evidence_table.c if column.name not in ("consent_id", "content")]


@dataclass(frozen=True)
class Content:
    """A photograph or signature as it came."""

    media_type: str
    content: bytes


def consent_by_id(db: Connection, consent_id: str) -> KeptConsent:
    """Return one consent with what shows it; NotFound when there is none. Who may see it is the caller's to decide."""
    row = db.execute(select(consent_table).where(consent_table.c.id == consent_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such consent", code="consent")
    return _consent(db, row)


def consents_of_study(db: Connection, institution_id: str, study_instance_uid: str) -> tuple[KeptConsent, ...]:
    """Return every consent of a study, the newest first."""
    mine = (consent_table.c.institution_id == institution_id) & (consent_table.c.study_instance_uid == study_instance_uid)
    rows = db.execute(
        select(consent_table).where(mine).order_by(consent_table.c.recorded_at.desc(), consent_table.c.id)
    ).mappings()
    return tuple(_consent(db, row) for row in rows)


def evidence_content(db: Connection, consent_id: str, kind: EvidenceKind) -> Content:
    """Return a photograph or signature; NotFound when there is none."""
    mine = (evidence_table.c.consent_id == consent_id) & (evidence_table.c.kind == kind)
    row = db.execute(select(evidence_table.c.media_type, evidence_table.c.content).where(mine)).first()
    if row is None:
        raise NotFound(f"this consent has no {kind}", code="consent")
    return Content(row.media_type, row.content)


def standing_of(db: Connection, agreement_ids: Collection[str]) -> dict[str, Standing]:
    """Return the standing consents that have not ended, by the agreement under which they stand."""
    open_ = standing_table.c.agreement_id.in_(agreement_ids) & standing_table.c.ended_at.is_(None)
    rows = db.execute(select(standing_table).where(open_).order_by(standing_table.c.recorded_at)).mappings()
    return {row["agreement_id"]: Standing(**row) for row in rows}


def standing_for(db: Connection, institution_id: str, performer_id: str, on: date, service: Role) -> Standing | None:
    """Return the standing consent under which a clinic's studies may be routed to that hospital, None when there is none."""
    held = agreements_of(db, institution_id)
    ids = [each.id for each in held if each.performer_id == performer_id and each.covers(on, service)]
    return next(iter(standing_of(db, ids).values()), None)


def _consent(db: Connection, row: RowMapping) -> KeptConsent:
    shown = db.execute(
        select(*_EVIDENCE).where(evidence_table.c.consent_id == row["id"]).order_by(evidence_table.c.kind)
    ).mappings()
    evidence = tuple(Evidence(**{**one, "kind": EvidenceKind(one["kind"])}) for one in shown)
    words = {"kind": ConsentKind(row["kind"]), "scopes": tuple(Scope(one) for one in row["scopes"])}
    return KeptConsent(**{**row, **words}, evidence=evidence)
