"""Proof that what showed a consent is still what is kept: each photograph and signature, against the sealed trail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sqlalchemy import select

from consult.consents.tables import evidence_table
from telemed.kernel.audit import audit_table
from telemed.kernel.database import Database


def differences(database: Database) -> Iterator[str]:
    """Name every photograph or signature of a consent that is no longer what came, or is gone; nothing when all is well."""
    of = audit_table.c
    with database.reading() as db:
        told = db.scalars(select(of.detail).where(of.entity == "Consent", of.action == "ConsentShown").order_by(of.sequence))
        shown = {(detail["consent_id"], detail["evidence"]): detail["sha256"] for detail in told}
        columns = (evidence_table.c.consent_id, evidence_table.c.kind)
        kept = {(row.consent_id, row.kind) for row in db.execute(select(*columns))}
    for consent_id, kind in sorted(kept | shown.keys()):
        mine = (evidence_table.c.consent_id == consent_id) & (evidence_table.c.kind == kind)
        with database.reading() as db:  # one at a time: a county keeps more of them than memory holds
            content = db.scalar(select(evidence_table.c.content).where(mine))
        named = f"the {kind} of consent {consent_id}"
        if (consent_id, kind) not in shown:
            yield f"{named} is kept, and the audit trail does not know of it"
        elif content is None:
            yield f"{named} is missing"
        elif hashlib.sha256(content).hexdigest() != shown[consent_id, kind]:
            yield f"{named} has changed since it was recorded"
