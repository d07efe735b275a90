"""Guessing made slow: so many tries per account and per address in a quarter of an hour, counted before each try.

Counting first and forgiving afterwards leaves no gap through which many guesses at once could slip.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from telemed.kernel.database import serialise
from telemed.kernel.errors import Refused
from web.accounts.tables import failure_table

WINDOW = timedelta(minutes=15)
PER_ACCOUNT = 10
#: A whole hospital may come from one address.
PER_ADDRESS = 100
THROTTLE_LOCK = 0x7E1E0101


def subject_of(username: str) -> str:
    """Return under which name tries for *username* are counted; hashed, for people type passwords into the wrong field."""
    return "account:" + hashlib.sha256(username.strip().casefold().encode()).hexdigest()


def count_try(db: Connection, username: str, address: str, now: datetime) -> None:
    """Count one try.

    Raises
    ------
    Refused
        when there were too many; the same whether or not the account exists.
    """
    serialise(db, THROTTLE_LOCK)
    db.execute(delete(failure_table).where(failure_table.c.since <= now - WINDOW))
    for subject, limit in ((subject_of(username), PER_ACCOUNT), (f"address:{address}"[:80], PER_ADDRESS)):
        mine = failure_table.c.subject == subject
        count = db.execute(select(failure_table.c.count).where(mine)).scalar()
        if count is None:
            db.execute(insert(failure_table).values(subject=subject, since=now, count=1))
        elif count >= limit:
            minutes = int(WINDOW.total_seconds() // 60)
            raise Refused(f"too many failed tries; wait {minutes} minutes or ask your administrator", code="too-many-attempts")
        else:
            db.execute(update(failure_table).where(mine).values(count=count + 1))


def forgive(db: Connection, username: str, address: str) -> None:
    """Forget the account's tries and the last one of the address: the password was right."""
    db.execute(delete(failure_table).where(failure_table.c.subject == subject_of(username)))
    mine = failure_table.c.subject == f"address:{address}"[:80]
    db.execute(update(failure_table).where(mine, failure_table.c.count > 0).values(count=failure_table.c.count - 1))
