"""What may be done with an account: add it, change its password, disable it, sign in by it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.database import Database, new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused
from web.accounts import throttle
from web.accounts.passwords import Passwords
from web.accounts.sessions import close_sessions_of, digest_of, open_session, signed_in_by_digest
from web.accounts.tables import account_table
from web.security import SignedIn

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


@dataclass(frozen=True)
class Account:
    """What may be shown of an account."""

    id: str
    username: str
    practitioner_id: str
    created_at: datetime
    disabled_at: datetime | None


def add_account(
    db: Connection, chronicle: Chronicle, *, username: str, password_hash: str, practitioner_id: str, by: str
) -> Account:
    """Let the practitioner sign in as *username*; *password_hash* comes from `Passwords.hashed`, made before the transaction.

    Raises
    ------
    Invalid
        when the name has other characters than a-z, 0-9, dot, dash, underscore.
    Conflict
        when the name or the practitioner has an account already.
    """
    if not _USERNAME.fullmatch(username):
        raise Invalid(f"the user name {username!r} needs 2 to 64 of a-z, 0-9, dot, dash and underscore", code="username")
    taken = (account_table.c.username == username) | (account_table.c.practitioner_id == practitioner_id)
    found = db.execute(select(account_table.c.username).where(taken)).first()
    if found is not None:
        raise Conflict(f"there is an account already: {found.username}", code="account-exists")
    account = Account(new_id(), username, practitioner_id, chronicle.clock.now(), None)
    values = {"id": account.id, "username": username, "practitioner_id": practitioner_id, "created_at": account.created_at}
    db.execute(insert(account_table).values(**values, password_hash=password_hash))
    chronicle.trail.append(db, AuditRecord(by, "AccountAdded", "account", account.id, detail={"username": username}))
    return account


def set_password(db: Connection, chronicle: Chronicle, username: str, password_hash: str, *, by: str) -> None:
    """Change a password and end every session that the old one opened."""
    account = account_named(db, username)
    db.execute(update(account_table).where(account_table.c.id == account.id).values(password_hash=password_hash))
    close_sessions_of(db, account.id)
    chronicle.trail.append(db, AuditRecord(by, "PasswordSet", "account", account.id))


def disable_account(db: Connection, chronicle: Chronicle, username: str, *, by: str) -> None:
    """Close an account: nobody signs in by it any more, and whoever is signed in is not."""
    account = account_named(db, username)
    db.execute(update(account_table).where(account_table.c.id == account.id).values(disabled_at=chronicle.clock.now()))
    close_sessions_of(db, account.id)
    chronicle.trail.append(db, AuditRecord(by, "AccountDisabled", "account", account.id))


def accounts(db: Connection) -> list[Account]:
    """Return every account, by name."""
    return [_account(row) for row in db.execute(select(account_table).order_by(account_table.c.username)).mappings()]


def account_named(db: Connection, username: str) -> Account:
    """Return the account of that name, or raise NotFound."""
    row = db.execute(select(account_table).where(account_table.c.username == username)).mappings().first()
    if row is None:
        raise NotFound(f"there is no account {username}; `telemed user list` names them")
    return _account(row)


def count_accounts(db: Connection) -> int:
    """Return how many accounts there are: none means a fresh server."""
    return int(db.execute(select(func.count()).select_from(account_table)).scalar_one())


def sign_in(
    database: Database, chronicle: Chronicle, passwords: Passwords, *, username: str, password: str, address: str
) -> tuple[str, SignedIn]:
    """Check a password and open a session; return its secret and whose it is. Slow on purpose: call it off the loop.

    It opens its own transactions, for none may stay open while the password is hashed.

    Raises
    ------
    Refused
        code ``sign-in`` when name or password is wrong, the same in words and time whichever it was;
        code ``too-many-attempts`` after too many.
    """
    now = chronicle.clock.now()
    with database.transaction() as db:
        throttle.count_try(db, username, address, now)
    account_id = _checked(database, passwords, account_table.c.username == username, password)
    with database.transaction() as db:
        if account_id is None:
            record = AuditRecord("unknown", "SignInFailed", "address", address, outcome=4, detail=_tried(db, username))
            chronicle.trail.append(db, record)
        else:
            throttle.forgive(db, username, address)
            secret = open_session(db, account_id, now)
            signed_in = signed_in_by_digest(db, digest_of(secret), now)
            assert signed_in is not None
            viewer = signed_in.viewer
            chronicle.trail.append(
                db,
                AuditRecord(
                    viewer.practitioner_id, "SignedIn", "account", account_id, viewer.institution_id, 0, {"address": address}
                ),
            )
            return secret, signed_in
    raise Refused("the user name or the password is wrong", code="sign-in")


def confirm_identity(
    database: Database, chronicle: Chronicle, passwords: Passwords, *, signed_in: SignedIn, password: str, address: str
) -> None:
    """Check again that it is really they who are at the keyboard, as before a signature; limited and audited like a sign-in.

    Raises
    ------
    Refused
        code ``password`` when it is wrong, ``too-many-attempts`` after too many.
    """
    with database.transaction() as db:
        throttle.count_try(db, signed_in.username, address, chronicle.clock.now())
    right = _checked(database, passwords, account_table.c.id == signed_in.account_id, password) is not None
    viewer = signed_in.viewer
    with database.transaction() as db:
        if right:
            throttle.forgive(db, signed_in.username, address)
        else:
            chronicle.trail.append(
                db,
                AuditRecord(
                    viewer.practitioner_id, "IdentityNotConfirmed", "account", signed_in.account_id, viewer.institution_id, 4
                ),
            )
    if not right:
        raise Refused("the password is wrong; nothing was signed", code="password")


def _checked(database: Database, passwords: Passwords, which: object, password: str) -> str | None:
    """Return the id of the account that *password* opens; renew a hash made with outdated parameters."""
    with database.reading() as db:
        row = db.execute(select(account_table).where(which, account_table.c.disabled_at.is_(None))).first()  # type: ignore[arg-type]
    if not passwords.verify(row.password_hash if row else None, password) or row is None:
        return None
    if passwords.is_outdated(row.password_hash):
        renewed = passwords.hashed(password)
        with database.transaction() as db:
            same = (account_table.c.id == row.id) & (account_table.c.password_hash == row.password_hash)
            db.execute(update(account_table).where(same).values(password_hash=renewed))
    return str(row.id)


def _tried(db: Connection, username: str) -> dict[str, str]:
    known = db.execute(select(account_table.c.id).where(account_table.c.username == username)).first()
    return {"account": known.id} if known else {}


def _account(row: object) -> Account:
    values = dict(row)  # type: ignore[call-overload]  # a RowMapping
    values.pop("password_hash")
    return Account(**values)
