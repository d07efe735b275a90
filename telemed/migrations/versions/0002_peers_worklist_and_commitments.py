"""Peers, storage commitments, performed procedure steps, and the worklist's examinations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "peer",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_peer")),
        sa.UniqueConstraint("ae_title", name=op.f("uq_peer_ae_title")),
    )
    op.create_table(
        "storage_commitment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("try_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_commitment")),
    )
    op.create_index(op.f("ix_storage_commitment_try_at"), "storage_commitment", ["try_at"], unique=False)
    op.create_table(
        "performed_procedure_step",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("instance_uids", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performed_procedure_step")),
        sa.UniqueConstraint(
            "institution", "sop_instance_uid", name=op.f("uq_performed_procedure_step_institution_sop_instance_uid")
        ),
    )
    op.create_index(
        op.f("ix_performed_procedure_step_institution_study_instance_uid"),
        "performed_procedure_step",
        ["institution", "study_instance_uid"],
        unique=False,
    )
    op.create_table(
        "examination",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("accession_number", sa.String(length=16), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sex", sa.String(length=1), nullable=False),
        sa.Column("birth_date", sa.String(length=8), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("station_aet", sa.String(length=16), nullable=False),
        sa.Column("description", sa.String(length=64), nullable=False),
        sa.Column("scheduled_at", UtcDateTime(), nullable=False),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_examination_institution_id_organization")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_examination")),
        sa.UniqueConstraint("institution_id", "accession_number", name=op.f("uq_examination_institution_id_accession_number")),
        sa.UniqueConstraint("study_instance_uid", name=op.f("uq_examination_study_instance_uid")),
    )
    op.create_index(
        op.f("ix_examination_institution_id_scheduled_at"), "examination", ["institution_id", "scheduled_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_examination_institution_id_scheduled_at"), table_name="examination")
    op.drop_table("examination")
    op.drop_index(op.f("ix_performed_procedure_step_institution_study_instance_uid"), table_name="performed_procedure_step")
    op.drop_table("performed_procedure_step")
    op.drop_index(op.f("ix_storage_commitment_try_at"), table_name="storage_commitment")
    op.drop_table("storage_commitment")
    op.drop_table("peer")
