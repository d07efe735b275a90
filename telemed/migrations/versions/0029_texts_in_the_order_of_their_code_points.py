"""On PostgreSQL what texts are matched by stands in the order of the code points: a beginning is a range there, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

LOWERED = (
    ("patient", "name_folded"),
    ("patient", "name_ideographic"),
    ("patient", "name_phonetic"),
    ("study", "accession_number"),
)


def upgrade() -> None:
    _replace('COLLATE "C"')


def downgrade() -> None:
    _replace("text_pattern_ops")


def _replace(order: str) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, column in LOWERED:
        name = f"ix_{table}_lower_{column}"
        op.drop_index(name, table_name=table)
        op.create_index(name, table, [sa.text(f"lower({column}) {order}")])
        op.execute(f"ANALYZE {table}")  # it would know nothing of a new index until the table has changed
