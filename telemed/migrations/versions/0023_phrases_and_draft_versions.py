"""Phrases of hospitals and of their people with every version, and the versions of drafts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0023"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "phrase",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("practitioner_id", sa.String(length=32), nullable=True),
        sa.Column("based_on", sa.String(length=32), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_phrase_institution_id_organization")),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioner.id"], name=op.f("fk_phrase_practitioner_id_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phrase")),
    )
    op.create_index(op.f("ix_phrase_institution_id_practitioner_id"), "phrase", ["institution_id", "practitioner_id"])
    op.create_table(
        "phrase_version",
        sa.Column("phrase_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("wording", sa.JSON(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["phrase_id"], ["phrase.id"], name=op.f("fk_phrase_version_phrase_id_phrase")),
        sa.ForeignKeyConstraint(["changed_by"], ["practitioner.id"], name=op.f("fk_phrase_version_changed_by_practitioner")),
        sa.PrimaryKeyConstraint("phrase_id", "version", name=op.f("pk_phrase_version")),
    )
    op.create_table(
        "report_draft_version",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=32), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("impression", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("key_images", sa.JSON(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_report_draft_version_task_id_task")),
        sa.PrimaryKeyConstraint("task_id", "version", name=op.f("pk_report_draft_version")),
    )


def downgrade() -> None:
    for table in ("report_draft_version", "phrase_version", "phrase"):
        op.drop_table(table)
