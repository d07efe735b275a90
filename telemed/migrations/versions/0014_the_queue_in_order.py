"""Indexes of the open tasks, in the order in which the queue shows them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

OPEN = sa.text("open_key IS NOT NULL")
ORDER = ["begin_by", "id", "lane", "status"]
SIDES = {"ix_task_queue_performer": ["performer_id", "specialty"], "ix_task_queue_institution": ["institution_id"]}


def upgrade() -> None:
    for name, side in SIDES.items():
        op.create_index(name, "task", side + ORDER, sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    for name in SIDES:
        op.drop_index(name, table_name="task")
