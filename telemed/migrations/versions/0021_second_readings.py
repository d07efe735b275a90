"""Further readings of one study: stages of a task, readings before the final one, their comparison, rules, peer reviews."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("practitioner", sa.Column("in_training", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("task", sa.Column("stage", sa.String(length=16), nullable=False, server_default="first"))
    op.add_column("task", sa.Column("barred", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "reading",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("reader_id", sa.String(length=32), nullable=False),
        sa.Column("reader_name", sa.String(length=100), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("impression", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("key_images", sa.JSON(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["reader_id"], ["practitioner.id"], name=op.f("fk_reading_reader_id_practitioner")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_reading_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
        sa.UniqueConstraint("task_id", "stage", name=op.f("uq_reading_task_id_stage")),
    )
    op.create_table(
        "reading_comparison",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("score", sa.String(length=2), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("author_id", sa.String(length=32), nullable=False),
        sa.Column("by_id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("concordant", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["practitioner.id"], name=op.f("fk_reading_comparison_author_id_practitioner")),
        sa.ForeignKeyConstraint(["by_id"], ["practitioner.id"], name=op.f("fk_reading_comparison_by_id_practitioner")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_reading_comparison_task_id_task")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_reading_comparison")),
    )
    op.create_table(
        "double_reading_rule",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agreement_id", sa.String(length=32), nullable=True),
        sa.Column("specialty", sa.String(length=16), nullable=True),
        sa.Column("lane", sa.String(length=16), nullable=True),
        sa.Column("task_id", sa.String(length=32), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["cooperation_agreement.id"],
            name=op.f("fk_double_reading_rule_agreement_id_cooperation_agreement"),
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_double_reading_rule_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_double_reading_rule")),
    )
    op.create_index(op.f("ix_double_reading_rule_task_id"), "double_reading_rule", ["task_id"])
    op.create_table(
        "peer_review",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("hospital_id", sa.String(length=32), nullable=False),
        sa.Column("clinic_id", sa.String(length=32), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("author_id", sa.String(length=32), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reviewer_id", sa.String(length=32), nullable=True),
        sa.Column("score", sa.String(length=2), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("drawn_at", UtcDateTime(), nullable=False),
        sa.Column("scored_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["practitioner.id"], name=op.f("fk_peer_review_author_id_practitioner")),
        sa.ForeignKeyConstraint(["clinic_id"], ["organization.id"], name=op.f("fk_peer_review_clinic_id_organization")),
        sa.ForeignKeyConstraint(["hospital_id"], ["organization.id"], name=op.f("fk_peer_review_hospital_id_organization")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_peer_review_report_id_report")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["practitioner.id"], name=op.f("fk_peer_review_reviewer_id_practitioner")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_peer_review_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_peer_review")),
        sa.UniqueConstraint("report_id", name=op.f("uq_peer_review_report_id")),
    )
    op.create_index(op.f("ix_peer_review_task_id"), "peer_review", ["task_id"])
    op.create_index(op.f("ix_peer_review_hospital_id_status"), "peer_review", ["hospital_id", "status"])
    op.create_table(
        "peer_review_sampling",
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("specialty", name=op.f("pk_peer_review_sampling")),
    )


def downgrade() -> None:
    for table in ("peer_review_sampling", "peer_review", "double_reading_rule", "reading_comparison", "reading"):
        op.drop_table(table)
    for table, columns in {"task": ("stage", "barred"), "practitioner": ("in_training",)}.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)
