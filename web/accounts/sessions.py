"""A browser's session: a random secret in its cookie, its digest in the database, gone 12 hours after its last use."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from consult.practitioners.views import viewer_of
from web.accounts.tables import account_table, session_table
from web.security import SignedIn

LASTS = timedelta(hours=12)
#: A session in use is written back no more often than this.
EXTENDED_EVERY = timedelta(minutes=5)


def digest_of(secret: str) -> str:
    """Return how *secret*, 256 random bits, is kept; plain SHA-256 is enough for what nobody can guess.

    What stands in a header need not be text: bytes that are none are digested as they came.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def csrf_token(secret: str) -> str:
    """Return the CSRF token of the session of *secret*: derived, so that nothing more is kept."""
    return hmac.new(secret.encode(), b"telemed csrf", hashlib.sha256).hexdigest()


def open_session(db: Connection, account_id: str, now: datetime) -> str:
    """Begin a session under a fresh secret, which is returned and kept nowhere; sweep the ones that have ended."""
    secret = secrets.token_urlsafe(32)
    db.execute(delete(session_table).where(session_table.c.expires_at <= now))
    row = {"digest": digest_of(secret), "account_id": account_id, "created_at": now, "expires_at": now + LASTS}
    db.execute(insert(session_table).values(row))
    return secret


_WHOSE = (
    select(account_table.c.id, account_table.c.username, account_table.c.practitioner_id, session_table.c.expires_at)
    .join(account_table, account_table.c.id == session_table.c.account_id)
    .where(
        session_table.c.digest == bindparam("digest"),
        session_table.c.expires_at > bindparam("now"),
        account_table.c.disabled_at.is_(None),
    )
)


def signed_in_by_digest(db: Connection, digest: str, now: datetime) -> SignedIn | None:
    """Return whose session is kept under *digest*; None when there is none, or it has ended."""
    row = db.execute(_WHOSE, {"digest": digest, "now": now}).first()
    if row is None:
        return None
    viewer = viewer_of(db, row.practitioner_id)
    return SignedIn(viewer, row.id, row.username, digest, row.expires_at, by_cookie=True)


def is_to_be_extended(session: SignedIn, now: datetime) -> bool:
    """Tell whether enough of *session* has passed for its new end to be written."""
    return session.expires_at is not None and session.expires_at - now < LASTS - EXTENDED_EVERY


def extend(db: Connection, session: SignedIn, now: datetime) -> None:
    """Let *session* last its full time from *now*; one that was closed meanwhile stays closed."""
    db.execute(update(session_table).where(session_table.c.digest == session.digest).values(expires_at=now + LASTS))


def close_session(db: Connection, digest: str) -> None:
    """End the session kept under *digest*."""
    db.execute(delete(session_table).where(session_table.c.digest == digest))


def close_sessions_of(db: Connection, account_id: str) -> None:
    """End every session of an account: its password has changed, or it was disabled."""
    db.execute(delete(session_table).where(session_table.c.account_id == account_id))
