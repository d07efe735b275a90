"""Requests that are placed before their study is there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "early_request",
        sa.Column("examination_id", sa.String(length=32), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("placed_by", sa.String(length=32), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=True),
        sa.Column("task_id", sa.String(length=32), nullable=True),
        sa.Column("ground", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["examination_id"], ["examination.id"], name=op.f("fk_early_request_examination_id_examination")),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_early_request_consent_id_consent")),
        sa.ForeignKeyConstraint(["placed_by"], ["practitioner.id"], name=op.f("fk_early_request_placed_by_practitioner")),
        sa.PrimaryKeyConstraint("examination_id", name=op.f("pk_early_request")),
    )


def downgrade() -> None:
    op.drop_table("early_request")
