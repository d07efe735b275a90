"""Who asked for a second reading of a task, or made the rule, is kept with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

KEY = "fk_double_reading_rule_made_by_practitioner"


def upgrade() -> None:
    with op.batch_alter_table("double_reading_rule") as rule:
        rule.add_column(sa.Column("made_by", sa.String(length=32), nullable=True))
        rule.create_foreign_key(op.f(KEY), "practitioner", ["made_by"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("double_reading_rule") as rule:
        rule.drop_constraint(op.f(KEY), type_="foreignkey")
        rule.drop_column("made_by")
