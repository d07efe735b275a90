"""Who reviews a report without being told its author; those who do so now are told no more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "task_blind",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("practitioner_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioner.id"], name=op.f("fk_task_blind_practitioner_id_practitioner")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_task_blind_task_id_task")),
        sa.PrimaryKeyConstraint("task_id", "practitioner_id", name=op.f("pk_task_blind")),
    )
    op.execute(
        "INSERT INTO task_blind (task_id, practitioner_id) SELECT task_id, reviewer_id FROM peer_review WHERE status = 'claimed'"
    )


def downgrade() -> None:
    op.drop_table("task_blind")
