"""The consent as an object of its own with what shows it, standing consents of routed studies, and the full request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("guardian", sa.String(length=100), nullable=False),
        sa.Column("relation", sa.String(length=100), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("recorded_by", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_consent_institution_id_organization")),
        sa.ForeignKeyConstraint(["recorded_by"], ["practitioner.id"], name=op.f("fk_consent_recorded_by_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_institution_id_study_instance_uid"), "consent", ["institution_id", "study_instance_uid"])
    op.create_table(
        "consent_evidence",
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_by", sa.String(length=32), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_consent_evidence_consent_id_consent")),
        sa.ForeignKeyConstraint(["added_by"], ["practitioner.id"], name=op.f("fk_consent_evidence_added_by_practitioner")),
        sa.PrimaryKeyConstraint("consent_id", "kind", name=op.f("pk_consent_evidence")),
    )
    agreement = op.f("fk_standing_consent_agreement_id_cooperation_agreement")
    op.create_table(
        "standing_consent",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("agreement_id", sa.String(length=32), nullable=False),
        sa.Column("keeper_id", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["agreement_id"], ["cooperation_agreement.id"], name=agreement),
        sa.ForeignKeyConstraint(["keeper_id"], ["practitioner.id"], name=op.f("fk_standing_consent_keeper_id_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standing_consent")),
    )
    op.create_index(op.f("ix_standing_consent_agreement_id"), "standing_consent", ["agreement_id"])
    with op.batch_alter_table("service_request") as request:
        for name in ("complaint", "history", "contraindications"):
            request.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
        request.add_column(sa.Column("consent_id", sa.String(length=32), nullable=True))
        request.add_column(sa.Column("standing_id", sa.String(length=32), nullable=True))
        request.create_foreign_key(op.f("fk_service_request_consent_id_consent"), "consent", ["consent_id"], ["id"])
        request.create_foreign_key(
            op.f("fk_service_request_standing_id_standing_consent"), "standing_consent", ["standing_id"], ["id"]
        )
        request.create_index(op.f("ix_service_request_consent_id"), ["consent_id"])


def downgrade() -> None:
    with op.batch_alter_table("service_request") as request:
        request.drop_index(op.f("ix_service_request_consent_id"))
        for name in ("standing_id_standing_consent", "consent_id_consent"):
            request.drop_constraint(op.f(f"fk_service_request_{name}"), type_="foreignkey")
        for name in ("standing_id", "consent_id", "contraindications", "history", "complaint"):
            request.drop_column(name)
    for table in ("standing_consent", "consent_evidence", "consent"):
        op.drop_table(table)
