"""What the clinic is told to record again, and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "ecg_gate",
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("judged_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replaced_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("institution", "sop_instance_uid", name=op.f("pk_ecg_gate")),
    )
    op.create_index(op.f("ix_ecg_gate_institution_study_instance_uid"), "ecg_gate", ["institution", "study_instance_uid"])
    op.create_index(op.f("ix_ecg_gate_institution_verdict"), "ecg_gate", ["institution", "verdict"])


def downgrade() -> None:
    op.drop_table("ecg_gate")
