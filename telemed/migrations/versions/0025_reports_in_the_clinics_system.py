"""A report may be in the clinic's own system before anybody there has seen its news."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    with op.batch_alter_table("report_delivery") as delivery:
        delivery.add_column(sa.Column("only_in", sa.String(length=16), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("report_delivery") as delivery:
        delivery.drop_column("only_in")
