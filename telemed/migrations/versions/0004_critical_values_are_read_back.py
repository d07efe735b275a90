"""A critical value is read back by the clinic."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("report_delivery") as delivery:
        delivery.add_column(sa.Column("read_back", sa.Text(), nullable=True))
        delivery.add_column(sa.Column("read_back_at", UtcDateTime(), nullable=True))
        delivery.add_column(sa.Column("read_back_by", sa.String(length=32), nullable=True))
        delivery.add_column(sa.Column("read_back_by_name", sa.String(length=128), nullable=True))
