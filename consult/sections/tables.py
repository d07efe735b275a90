"""How sections are kept."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from telemed.kernel.database import UtcDateTime, metadata

section_table = Table(
    "reading_section",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("task_id", String(32), ForeignKey("task.id"), nullable=False),
    # Where it was split: a hospital to which the task goes afterwards has nothing to do with it.
    Column("performer_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("region", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reader_id", String(32), ForeignKey("practitioner.id"), nullable=True),
    # Until when the reader's claim holds unless they renew it; NULL while nobody holds it and once it is signed.
    Column("lease_until", UtcDateTime, nullable=True, index=True),
    # As they were called when they signed.
    Column("reader_name", String(100), nullable=True),
    Column("findings", Text, nullable=False),
    Column("impression", Text, nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved_at", UtcDateTime, nullable=True),
    Column("signed_at", UtcDateTime, nullable=True),
    Column("content_sha256", String(64), nullable=True),
    UniqueConstraint("task_id", "performer_id", "region"),
)
