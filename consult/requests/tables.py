"""How requests are kept."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from telemed.kernel.database import UtcDateTime, metadata

request_table = Table(
    "service_request",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("performer_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("consent_kind", String(16), nullable=False),
    Column("consent_note", Text, nullable=False),
    # Not a foreign key: a routing rule places requests too, in the name of the system.
    Column("requester_id", String(32), nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("wanted_by", UtcDateTime, nullable=True),
    Column("status", String(16), nullable=False),
    Index(None, "institution_id", "study_instance_uid"),
)
