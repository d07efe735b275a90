"""How accounts, sessions, tokens and failed sign-ins are kept. Secrets are kept as digests only."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from telemed.kernel.database import UtcDateTime, metadata

account_table = Table(
    "account",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("username", String(64), nullable=False, unique=True),
    Column("practitioner_id", String(32), ForeignKey("practitioner.id"), nullable=False, unique=True),
    Column("password_hash", String(256), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

session_table = Table(
    "session",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account_id", String(32), ForeignKey("account.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

token_table = Table(
    "access_token",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("account_id", String(32), ForeignKey("account.id"), nullable=False, index=True),
    Column("label", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

#: *subject* is ``account:<name, hashed>`` or ``address:<address>``; a row is one window of counting.
failure_table = Table(
    "sign_in_failure",
    metadata,
    Column("subject", String(80), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
    Index(None, "since"),
)
