"""Bearer tokens, by which programs sign in: shown once, kept as digests, ended by revoking."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from consult.practitioners.views import viewer_of
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import NotFound
from web.accounts.sessions import digest_of
from web.accounts.tables import account_table, token_table
from web.security import SignedIn

#: Makes a leaked token recognisable to scanners.
PREFIX = "tm_"


@dataclass(frozen=True)
class AccessToken:
    """What may be shown of a token."""

    id: str
    username: str
    label: str
    created_at: datetime
    revoked_at: datetime | None


def create_token(db: Connection, chronicle: Chronicle, username: str, label: str, *, by: str) -> str:
    """Give the account *username* a new token and return it: the only time it can be seen. *by* goes into the trail."""
    account = db.execute(select(account_table).where(account_table.c.username == username)).first()
    if account is None:
        raise NotFound(f"there is no account {username}; `telemed user list` names them")
    token, id_ = PREFIX + secrets.token_urlsafe(32), new_id()
    row = {"id": id_, "digest": digest_of(token), "account_id": account.id, "label": label, "created_at": chronicle.clock.now()}
    db.execute(insert(token_table).values(row))
    chronicle.trail.append(db, AuditRecord(by, "TokenCreated", "account", account.id, detail={"token": id_, "label": label}))
    return token


def tokens(db: Connection) -> list[AccessToken]:
    """Return every token, oldest first."""
    token, account = token_table.c, account_table.c
    query = select(token.id, account.username, token.label, token.created_at, token.revoked_at)
    return [AccessToken(*row) for row in db.execute(query.join(account_table).order_by(token.created_at, token.id))]


def revoke_token(db: Connection, chronicle: Chronicle, token_id: str, *, by: str) -> None:
    """End a token at once; one that has ended stays as it is."""
    token = token_table.c
    revoke = update(token_table).where(token.id == token_id, token.revoked_at.is_(None)).values(revoked_at=chronicle.clock.now())
    if db.execute(revoke).rowcount == 1:
        chronicle.trail.append(db, AuditRecord(by, "TokenRevoked", "token", token_id))
    elif db.execute(select(token.id).where(token.id == token_id)).first() is None:
        raise NotFound(f"there is no token {token_id}")


_WHOSE = (
    select(account_table.c.id, account_table.c.username, account_table.c.practitioner_id)
    .join(token_table, token_table.c.account_id == account_table.c.id)
    .where(token_table.c.digest == bindparam("digest"), token_table.c.revoked_at.is_(None), account_table.c.disabled_at.is_(None))
)


def signed_in_by_digest(db: Connection, digest: str) -> SignedIn | None:
    """Return whose token is kept under *digest*; None when there is none, or it has ended."""
    row = db.execute(_WHOSE, {"digest": digest}).first()
    if row is None:
        return None
    return SignedIn(viewer_of(db, row.practitioner_id), row.id, row.username, digest, None, by_cookie=False)
