"""How the gate's judgements are kept: one row for each recording."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, String, Table, Text

from telemed.kernel.database import UtcDateTime, metadata

gate_table = Table(
    "ecg_gate",
    metadata,
    Column("institution", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("faults", JSON, nullable=False),
    Column("judged_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime, nullable=True),
    Column("reason", Text, nullable=False),
    Column("replaced_by", String(64), nullable=True),
    Index(None, "institution", "verdict"),
    Index(None, "institution", "study_instance_uid"),
)
