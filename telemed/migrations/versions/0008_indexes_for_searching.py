"""Indexes that searching stands on: texts without case, and studies in the order they are shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

LOWERED = (
    ("patient", "name_folded"),
    ("patient", "name_ideographic"),
    ("patient", "name_phonetic"),
    ("study", "accession_number"),
)
ORDER = ["study_date", "study_time", "first_received_at", "id"]


def upgrade() -> None:
    for table, column in LOWERED:
        lowered = sa.func.lower(sa.column(column)).label("lowered")
        op.create_index(f"ix_{table}_lower_{column}", table, [lowered], postgresql_ops={"lowered": "text_pattern_ops"})
    op.drop_index(op.f("ix_patient_name_folded"), table_name="patient")
    op.drop_index(op.f("ix_patient_name_ideographic"), table_name="patient")
    op.drop_index(op.f("ix_study_study_date"), table_name="study")
    op.create_index(op.f("ix_study_study_date_study_time_first_received_at_id"), "study", ORDER, unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_study_study_date_study_time_first_received_at_id"), table_name="study")
    op.create_index(op.f("ix_study_study_date"), "study", ["study_date"], unique=False)
    op.create_index(op.f("ix_patient_name_ideographic"), "patient", ["name_ideographic"], unique=False)
    op.create_index(op.f("ix_patient_name_folded"), "patient", ["name_folded"], unique=False)
    for table, column in LOWERED:
        op.drop_index(f"ix_{table}_lower_{column}", table_name=table)
