"""The DICOM objects that reports are returned in, rules for reports alone, and who has got what was written here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0020"
down_revision = "0023"

_RULE = ["ae_title", "institution", "modality"]
_UNIQUE = "uq_forwarding_rule_ae_title_institution_modality"


def upgrade() -> None:
    op.create_table(
        "report_object",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_report_object_report_id_report")),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_report_object")),
    )
    op.create_index(op.f("ix_report_object_report_id"), "report_object", ["report_id"])
    op.create_table(
        "forwarded",
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("ae_title", "institution", "sop_instance_uid", name=op.f("pk_forwarded")),
    )
    op.add_column("study", sa.Column("written_count", sa.Integer(), server_default="0", nullable=False))
    with op.batch_alter_table("forwarding_rule") as rule:
        rule.add_column(sa.Column("reports", sa.Boolean(), server_default=sa.false(), nullable=False))
        rule.drop_constraint(op.f(_UNIQUE), type_="unique")
        rule.create_unique_constraint(op.f(f"{_UNIQUE}_reports"), [*_RULE, "reports"])


def downgrade() -> None:
    with op.batch_alter_table("forwarding_rule") as rule:
        rule.drop_constraint(op.f(f"{_UNIQUE}_reports"), type_="unique")
        rule.create_unique_constraint(op.f(_UNIQUE), _RULE)
        rule.drop_column("reports")
    op.drop_column("study", "written_count")
    op.drop_table("forwarded")
    op.drop_table("report_object")
