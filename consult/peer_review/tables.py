"""How reviews are kept, and how many reports are drawn."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from telemed.kernel.database import UtcDateTime, metadata

review_table = Table(
    "peer_review",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("report_id", String(32), ForeignKey("report.id"), nullable=False, unique=True),
    Column("task_id", String(32), ForeignKey("task.id"), nullable=False, index=True),
    Column("hospital_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("clinic_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("specialty", String(16), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("author_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("month", String(7), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reviewer_id", String(32), ForeignKey("practitioner.id"), nullable=True),
    Column("score", String(2), nullable=True),
    Column("comment", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("drawn_at", UtcDateTime, nullable=False),
    Column("scored_at", UtcDateTime, nullable=True),
    Index(None, "hospital_id", "status"),
)

sampling_table = Table(
    "peer_review_sampling",
    metadata,
    Column("specialty", String(16), primary_key=True),
    Column("percent", Integer, nullable=False),
    Column("seed", String(64), nullable=False),
)
