"""How rotas are kept."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from telemed.kernel.database import UtcDateTime, metadata

duty_table = Table(
    "duty",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution_id", String(32), ForeignKey("organization.id"), nullable=False),
    Column("practitioner_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("specialty", String(16), nullable=False),
    Column("lane", String(16), nullable=True),
    Column("kind", String(16), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("cancelled_at", UtcDateTime, nullable=True),
    Index(None, "institution_id", "ends_at"),
    Index(None, "practitioner_id", "ends_at"),
)

duty_change_table = Table(
    "duty_change",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("duty_id", String(32), ForeignKey("duty.id"), nullable=False, index=True),
    Column("other_duty_id", String(32), ForeignKey("duty.id"), nullable=True),
    Column("giver_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("taker_id", String(32), ForeignKey("practitioner.id"), nullable=False),
    Column("reason", String(400), nullable=False),
    Column("giver_agreed_at", UtcDateTime, nullable=True),
    Column("taker_agreed_at", UtcDateTime, nullable=True),
    Column("status", String(16), nullable=False),
)

#: The hours a hospital has promised to cover; a specialty without a row is promised at no hour.
promised_hours_table = Table(
    "promised_hours",
    metadata,
    Column("institution_id", String(32), ForeignKey("organization.id"), primary_key=True),
    Column("specialty", String(16), primary_key=True),
    Column("days", String(7), nullable=False),
    Column("from_hour", Integer, nullable=False),
    Column("until_hour", Integer, nullable=False),
)

#: The uncovered hours that were told of: each is told once, also by two servers.
uncovered_hour_table = Table(
    "uncovered_hour",
    metadata,
    Column("institution_id", String(32), ForeignKey("organization.id"), primary_key=True),
    Column("specialty", String(16), primary_key=True),
    Column("hour_at", UtcDateTime, primary_key=True),
)
