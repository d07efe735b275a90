"""Channels on which institutions are told of reports, notices of reports, and what was told on which channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "delivery_channel",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("critical_only", sa.Boolean(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_delivery_channel_institution_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_channel")),
    )
    op.create_index(op.f("ix_delivery_channel_institution_id"), "delivery_channel", ["institution_id"])
    op.create_table(
        "delivery_notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_delivery_notice_report_id_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_notice")),
        sa.UniqueConstraint("report_id", name=op.f("uq_delivery_notice_report_id")),
    )
    op.create_index(op.f("ix_delivery_notice_next_at"), "delivery_notice", ["next_at"])
    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("notice_id", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["delivery_channel.id"], name=op.f("fk_delivery_attempt_channel_id_delivery_channel")
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["delivery_notice.id"], name=op.f("fk_delivery_attempt_notice_id_delivery_notice")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempt")),
        sa.UniqueConstraint("notice_id", "channel_id", name=op.f("uq_delivery_attempt_notice_id_channel_id")),
    )
    op.create_index(op.f("ix_delivery_attempt_status_next_at"), "delivery_attempt", ["status", "next_at"])


def downgrade() -> None:
    for table in ("delivery_attempt", "delivery_notice", "delivery_channel"):
        op.drop_table(table)
