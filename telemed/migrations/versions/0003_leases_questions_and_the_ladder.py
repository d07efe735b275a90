"""A claim is a lease, a task may wait for the clinic's answer, and unanswered ones climb a ladder."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("task") as task:
        task.add_column(sa.Column("lease_until", UtcDateTime(), nullable=True))
        task.add_column(sa.Column("escalated", sa.Integer(), nullable=False, server_default="0"))
        task.add_column(sa.Column("escalate_at", UtcDateTime(), nullable=True))
    with op.batch_alter_table("task") as task:
        task.alter_column("escalated", server_default=None)
    # What was overdue is at the ladder's end; what still runs has its breach before it.
    op.execute("UPDATE task SET escalated = 3 WHERE breached_at IS NOT NULL")
    op.execute(
        "UPDATE task SET escalated = 2, escalate_at = due_at "
        "WHERE breached_at IS NULL AND status IN ('requested', 'accepted', 'in-progress')"
    )
    op.drop_index(op.f("ix_task_status_due_at"), table_name="task")
    op.create_index(op.f("ix_task_lease_until"), "task", ["lease_until"], unique=False)
    op.create_index(op.f("ix_task_escalate_at"), "task", ["escalate_at"], unique=False)
    with op.batch_alter_table("turnaround") as turnaround:
        turnaround.add_column(sa.Column("paused_since", UtcDateTime(), nullable=True))
    op.create_table(
        "task_question",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=32), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(length=32), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_question_task_id_task")),
        sa.ForeignKeyConstraint(["asked_by"], ["practitioner.id"], name=op.f("fk_task_question_asked_by_practitioner")),
        sa.ForeignKeyConstraint(["answered_by"], ["practitioner.id"], name=op.f("fk_task_question_answered_by_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_question")),
    )
    op.create_index(op.f("ix_task_question_task_id_asked_at"), "task_question", ["task_id", "asked_at"], unique=False)
