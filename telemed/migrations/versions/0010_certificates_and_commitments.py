"""Whose certificate an AE shows, which peers are spoken to over TLS, and which commit to what is forwarded to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("ae_binding", "peer"):
        op.add_column(table, sa.Column("certificate_sha256", sa.String(length=64), server_default="", nullable=False))
    for name in ("tls", "commits"):
        op.add_column("peer", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("forwarding", sa.Column("sent_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("forwarding", "sent_at")
    for name in ("commits", "tls", "certificate_sha256"):
        op.drop_column("peer", name)
    op.drop_column("ae_binding", "certificate_sha256")
