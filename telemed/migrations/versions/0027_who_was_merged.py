"""The index of who was merged into whom holds nobody else: SQLite takes it for a help then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

INDEX = "ix_patient_merged_into"
MERGED = sa.text("merged_into IS NOT NULL")


def upgrade() -> None:
    op.drop_index(op.f(INDEX), table_name="patient")
    op.create_index(op.f(INDEX), "patient", ["merged_into"], sqlite_where=MERGED, postgresql_where=MERGED)


def downgrade() -> None:
    op.drop_index(op.f(INDEX), table_name="patient")
    op.create_index(op.f(INDEX), "patient", ["merged_into"], unique=False)
