"""How phrases are kept: each as it stands now, and every version of what it said."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table

from telemed.kernel.database import UtcDateTime, metadata

phrase_table = Table(
    "phrase",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    # Null: the hospital's own.
    Column("practitioner_id", String(32), ForeignKey("practitioner.id")),
    Column("based_on", String(32)),
    Column("version", Integer, nullable=False),
    Column("removed_at", UtcDateTime),
    Index(None, "institution_id", "practitioner_id"),
)

version_table = Table(
    "phrase_version",
    metadata,
    Column("phrase_id", String(32), ForeignKey("phrase.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("wording", JSON, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(32), ForeignKey("practitioner.id"), nullable=False),
)
