"""Forwarding to other nodes, and how a study is known to be complete."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import Counter, UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "forwarding_rule",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forwarding_rule")),
        sa.UniqueConstraint("ae_title", "institution", "modality", name=op.f("uq_forwarding_rule_ae_title_institution_modality")),
    )
    op.create_table(
        "forwarding",
        sa.Column("place", Counter, autoincrement=True, nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("interruptions", sa.Integer(), nullable=False),
        sa.Column("try_at", UtcDateTime(), nullable=False),
        sa.Column("given_up_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_forwarding")),
        sa.UniqueConstraint(
            "ae_title", "institution", "sop_instance_uid", name=op.f("uq_forwarding_ae_title_institution_sop_instance_uid")
        ),
    )
    op.create_index(
        op.f("ix_forwarding_ae_title_given_up_at_interruptions_place"),
        "forwarding",
        ["ae_title", "given_up_at", "interruptions", "place"],
        unique=False,
    )
    op.create_table(
        "forwarding_destination",
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("try_at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.String(length=400), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("last_sent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("ae_title", name=op.f("pk_forwarding_destination")),
    )
    op.create_table(
        "device_rhythm",
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("pauses", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("institution", "source", name=op.f("pk_device_rhythm")),
    )
    op.add_column("study", sa.Column("look_at", UtcDateTime(), nullable=True))
    op.add_column("study", sa.Column("proof", sa.String(length=16), nullable=True))
    op.add_column("study", sa.Column("missing", sa.JSON(), nullable=True))
    op.add_column("study", sa.Column("committed", sa.Integer(), nullable=True))
    op.add_column("instance_conflict", sa.Column("resolved_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("instance_conflict", "resolved_at")
    for column in ("committed", "missing", "proof", "look_at"):
        op.drop_column("study", column)
    op.drop_table("device_rhythm")
    op.drop_table("forwarding_destination")
    op.drop_index(op.f("ix_forwarding_ae_title_given_up_at_interruptions_place"), table_name="forwarding")
    op.drop_table("forwarding")
    op.drop_table("forwarding_rule")
