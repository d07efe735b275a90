"""What a signature covers beside the text: the images of the study, each with its digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("report", sa.Column("images_sha256", sa.String(length=64), nullable=True))
    op.add_column("report_document", sa.Column("images", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("report_document", "images")
    op.drop_column("report", "images_sha256")
