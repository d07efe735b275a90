"""How consents are kept."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from telemed.kernel.database import UtcDateTime, metadata

consent_table = Table(
    "consent",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("guardian", String(100), nullable=False),
    Column("relation", String(100), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("recorded_by", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime, nullable=True),
    Column("revoked_reason", Text, nullable=False),
    Index(None, "institution_id", "study_instance_uid"),
)

evidence_table = Table(
    "consent_evidence",
    metadata,
    Column("consent_id", String(32), ForeignKey("consent.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("media_type", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("added_by", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
)

standing_table = Table(
    "standing_consent",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("agreement_id", String(32), ForeignKey("cooperation_agreement.id"), nullable=False, index=True),
    Column("keeper_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("note", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=True),
)
