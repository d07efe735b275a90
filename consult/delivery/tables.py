"""How channels are kept, and what was told on which of them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from telemed.kernel.database import UtcDateTime, metadata

channel_table = Table(
    "delivery_channel",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("address", String(500), nullable=False),
    Column("secret", String(200), nullable=False),
    Column("label", String(100), nullable=False),
    Column("critical_only", Boolean, nullable=False),
    Column("removed_at", UtcDateTime),
)

notice_table = Table(
    "delivery_notice",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("report_id", String(32), ForeignKey("report.id"), nullable=False, unique=True),
    Column("institution_id", String(32), nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    # The rung that is climbed next, and when; NULL once the notice has ended.
    Column("rung", Integer, nullable=False),
    Column("next_at", UtcDateTime, index=True),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

#: One row for each notice and channel: whatever happens, nobody is told of one thing twice on one channel.
attempt_table = Table(
    "delivery_attempt",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("notice_id", String(32), ForeignKey("delivery_notice.id"), nullable=False),
    Column("channel_id", String(32), ForeignKey("delivery_channel.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    # When it is tried next while due, until when it is on its way while sending, else NULL.
    Column("next_at", UtcDateTime),
    Column("at", UtcDateTime, nullable=False),
    Column("problem", Text, nullable=False),
    UniqueConstraint("notice_id", "channel_id"),
    Index(None, "status", "next_at"),
)
