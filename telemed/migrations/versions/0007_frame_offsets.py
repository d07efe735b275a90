"""Where the frames of objects with many lie."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "frame_layout",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("layout", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_frame_layout")),
    )


def downgrade() -> None:
    op.drop_table("frame_layout")
