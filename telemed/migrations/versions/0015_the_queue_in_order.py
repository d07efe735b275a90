"""Indexes of the open tasks, in the order in which the queue shows them, and of those that have an owner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

OPEN = sa.text("open_key IS NOT NULL")
ORDER = ["begin_by", "id", "lane", "status"]
SIDES = {"ix_task_queue_performer": ["performer_id", "specialty"], "ix_task_queue_institution": ["institution_id"]}


OWNED = sa.text("owner_id IS NOT NULL")
OF_OWNER = ["owner_id", "status", "completed_at"]


def upgrade() -> None:
    op.drop_index(op.f("ix_task_owner_id_status_completed_at"), table_name="task")
    op.create_index(op.f("ix_task_owner_id_status_completed_at"), "task", OF_OWNER, sqlite_where=OWNED, postgresql_where=OWNED)
    for name, side in SIDES.items():
        op.create_index(name, "task", side + ORDER, sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    for name in SIDES:
        op.drop_index(name, table_name="task")
    op.drop_index(op.f("ix_task_owner_id_status_completed_at"), table_name="task")
    op.create_index(op.f("ix_task_owner_id_status_completed_at"), "task", OF_OWNER)
