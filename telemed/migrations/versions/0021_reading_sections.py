"""One study read in regions by several readers: the sections of a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "reading_section",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("performer_id", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reader_id", sa.String(length=32), nullable=True),
        sa.Column("reader_name", sa.String(length=100), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("impression", sa.Text(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=True),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("content_sha256", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["performer_id"], ["organization.id"], name=op.f("fk_reading_section_performer_id_organization")),
        sa.ForeignKeyConstraint(["reader_id"], ["practitioner.id"], name=op.f("fk_reading_section_reader_id_practitioner")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_reading_section_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_section")),
        sa.UniqueConstraint("task_id", "performer_id", "region", name=op.f("uq_reading_section_task_id_performer_id_region")),
    )


def downgrade() -> None:
    op.drop_table("reading_section")
