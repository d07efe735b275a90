"""Studies of one patient that a person said are another's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "patient_split",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("from_key", sa.String(length=32), nullable=False),
        sa.Column("to_key", sa.String(length=32), nullable=False),
        sa.Column("made", sa.Boolean(), nullable=False),
        sa.Column("studies", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("split_by", sa.String(length=128), nullable=False),
        sa.Column("split_at", UtcDateTime(), nullable=False),
        sa.Column("undone_by", sa.String(length=128), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_split")),
    )
    op.create_index(op.f("ix_patient_split_institution"), "patient_split", ["institution"], unique=False)


def downgrade() -> None:
    op.drop_table("patient_split")
