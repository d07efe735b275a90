"""A claim of a region is a lease, as that of a task is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    with op.batch_alter_table("reading_section") as section:
        section.add_column(sa.Column("lease_until", UtcDateTime(), nullable=True))
    op.create_index(op.f("ix_reading_section_lease_until"), "reading_section", ["lease_until"], unique=False)
    # A server that starts ends no lease before its reader's browser had the time to renew it.
    op.execute(
        "UPDATE reading_section SET lease_until = "
        "(SELECT COALESCE(task.claimed_at, task.placed_at) FROM task WHERE task.id = reading_section.task_id) "
        "WHERE status = 'claimed'"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_reading_section_lease_until"), table_name="reading_section")
    with op.batch_alter_table("reading_section") as section:
        section.drop_column("lease_until")
