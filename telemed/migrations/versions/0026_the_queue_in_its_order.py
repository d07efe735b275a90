"""Each side of the queue is found in its order, whatever SQLite knows of how full its tables are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

_OWNED = sa.text("owner_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index(op.f("ix_task_performer_id_status_begin_by_id"), "task")
    order = ["status", "begin_by", "id"]
    op.create_index(op.f("ix_task_performer_id_specialty_status_begin_by_id"), "task", ["performer_id", "specialty", *order])
    op.create_index(op.f("ix_task_institution_id_status_begin_by_id"), "task", ["institution_id", *order])
    op.create_index(
        op.f("ix_task_performer_id_owner_id_status_begin_by_id"),
        "task",
        ["performer_id", "owner_id", *order],
        sqlite_where=_OWNED,
        postgresql_where=_OWNED,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_task_performer_id_owner_id_status_begin_by_id"), "task")
    op.drop_index(op.f("ix_task_institution_id_status_begin_by_id"), "task")
    op.drop_index(op.f("ix_task_performer_id_specialty_status_begin_by_id"), "task")
    op.create_index(op.f("ix_task_performer_id_status_begin_by_id"), "task", ["performer_id", "status", "begin_by", "id"])
