"""How requests are kept."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

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
    Column("wanted", String(16), nullable=True),
    Column("complaint", Text, nullable=False, default=""),
    Column("history", Text, nullable=False, default=""),
    Column("contraindications", Text, nullable=False, default=""),
    Column("consent_kind", String(16), nullable=False),
    Column("consent_note", Text, nullable=False),
    # The patient's own, or the standing one of a routed study; requests of older versions have neither.
    Column("consent_id", String(32), ForeignKey("consent.id"), nullable=True, index=True),
    Column("standing_id", String(32), ForeignKey("standing_consent.id"), nullable=True),
    # Not a foreign key: a routing rule places requests too, in the name of the system.
    Column("requester_id", String(32), nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("wanted_by", UtcDateTime, nullable=True),
    Column("status", String(16), nullable=False),
    Index(None, "institution_id", "study_instance_uid"),
)

#: What a modality is to do, before there is a study: the worklist's side of an order. It is done once its study arrives.
examination_table = Table(
    "examination",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("accession_number", String(16), nullable=False),
    Column("study_instance_uid", String(64), nullable=False, unique=True),
    Column("patient_id", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("sex", String(1), nullable=False),
    Column("birth_date", String(8), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("station_aet", String(16), nullable=False),
    Column("description", String(64), nullable=False),
    Column("scheduled_at", UtcDateTime, nullable=False),
    Column("cancelled_at", UtcDateTime, nullable=True),
    UniqueConstraint("institution_id", "accession_number"),
    Index(None, "institution_id", "scheduled_at"),
)
