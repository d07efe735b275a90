"""How readings before the final one are kept, how two compared, and which tasks are read twice."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from telemed.kernel.database import UtcDateTime, metadata

reading_table = Table(
    "reading",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("task_id", String(32), ForeignKey("task.id"), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("reader_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    # As they were called when they signed.
    Column("reader_name", String(100), nullable=False),
    Column("findings", Text, nullable=False),
    Column("impression", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("key_images", JSON, nullable=False),
    Column("signed_at", UtcDateTime, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    UniqueConstraint("task_id", "stage"),
)

comparison_table = Table(
    "reading_comparison",
    metadata,
    Column("task_id", String(32), ForeignKey("task.id"), primary_key=True),
    Column("score", String(2), nullable=False),
    Column("comment", Text, nullable=False),
    Column("author_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("by_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("concordant", Boolean, nullable=False),
)

rule_table = Table(
    "double_reading_rule",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("agreement_id", String(32), ForeignKey("cooperation_agreement.id"), nullable=True),
    Column("specialty", String(16), nullable=True),
    Column("lane", String(16), nullable=True),
    Column("task_id", String(32), ForeignKey("task.id"), nullable=True),
    Column("made_at", UtcDateTime, nullable=False),
    # Not kept before there was this column.
    Column("made_by", String(32), ForeignKey("practitioner.id"), nullable=True),
    Index(None, "task_id"),
)
