"""Reports that are appended to and cancelled: the addenda of a version, and why one is withdrawn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("report", sa.Column("cause", sa.String(length=32), nullable=True))
    op.add_column("report", sa.Column("addenda", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("report", "addenda")
    op.drop_column("report", "cause")
