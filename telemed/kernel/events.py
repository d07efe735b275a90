"""The append-only log: what happened, in one order, for anyone who follows at their own pace.

News travels up only through here. The fact, its event and its audit record share one transaction; a follower keeps its
own cursor and moves it after its work is done, in the same transaction as that work.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, Index, String, Table, bindparam, func, insert, select, update

from telemed.kernel.clock import Clock
from telemed.kernel.database import Counter, Database, UtcDateTime, metadata, on_commit, serialise
from telemed.kernel.errors import Unavailable

log = logging.getLogger(__name__)

LOG_LOCK = 0x7E1E0001

event_table = Table(
    "event",
    metadata,
    Column("position", Counter, primary_key=True, autoincrement=True),
    Column("type", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("data", JSON, nullable=False),
    Index(None, "subject", "position"),
)

cursor_table = Table(
    "event_cursor",
    metadata,
    Column("follower", String(64), primary_key=True),
    Column("position", Counter, nullable=False),
)


@dataclass(frozen=True)
class Event:
    """One thing that happened: *type* in PascalCase, *subject* the id or UID it is about, *data* plain JSON."""

    position: int
    type: str
    subject: str
    at: datetime
    data: Mapping[str, Any]


class EventLog:
    """Append in your transaction; read after a cursor; wait for more."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep the log of *database*, dated by *clock*."""
        self._database = database
        self._clock = clock
        self._news = threading.Condition()
        self._latest: dict[str, int] = {}

    def append(self, db: Connection, type_: str, subject: str, data: Mapping[str, Any] | None = None) -> Event:
        """Write an event inside the caller's transaction; followers see it once that commits."""
        serialise(db, LOG_LOCK)
        at, content = self._clock.now(), dict(data or {})
        row = insert(event_table).values(type=type_, subject=subject, at=at, data=content)
        position = int(db.execute(row.returning(event_table.c.position)).scalar_one())
        on_commit(db, lambda: self._announce(position, {type_}))
        return Event(position, type_, subject, at, content)

    def append_all(self, db: Connection, news: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Write many events, each (type, subject, data), in their order and at the cost of one."""
        if not news:
            return
        serialise(db, LOG_LOCK)
        at = self._clock.now()
        rows = [{"type": type_, "subject": subject, "at": at, "data": dict(data)} for type_, subject, data in news]
        db.execute(insert(event_table), rows)
        newest = _newest(db)
        on_commit(db, lambda: self._announce(newest, {type_ for type_, _, _ in news}))

    def _announce(self, position: int, types: Iterable[str]) -> None:
        with self._news:
            self._latest.update((type_, max(self._latest.get(type_, 0), position)) for type_ in types)
            self._news.notify_all()

    def wait(self, position: int, seconds: float, *, types: Sequence[str] | None = None) -> None:
        """Sleep until this process has committed an event past *position*, of *types* if given, or for *seconds*.

        Another process's commits wake nobody here: a follower keeps *seconds* short and looks again.
        """

        def is_news() -> bool:
            of_interest = self._latest.values() if types is None else (self._latest.get(type_, 0) for type_ in types)
            return any(latest > position for latest in of_interest)

        with self._news:
            self._news.wait_for(is_news, seconds)

    def after(self, position: int, *, limit: int = 500, types: Sequence[str] | None = None) -> list[Event]:
        """Return up to *limit* events past *position*, oldest first."""
        with self._database.reading() as db:
            return events_after(db, position, limit=limit, types=types)

    def read_on(self, position: int, types: Sequence[str], *, limit: int) -> tuple[list[Event], int]:
        """Return the same, and up to which position that was all there is of *types*."""
        with self._database.reading() as db:
            newest = _newest(db)  # asked first: on PostgreSQL each statement sees what was committed before it
            found = events_after(db, position, limit=limit, types=types)
        return found, found[-1].position if len(found) == limit else max(newest, *(event.position for event in found), position)

    def latest(self) -> int:
        """Return the position of the newest event, 0 when there is none."""
        with self._database.reading() as db:
            return _newest(db)

    def position_of(self, follower: str) -> int:
        """Return how far *follower* has come, 0 when it never began."""
        with self._database.reading() as db:
            query = select(cursor_table.c.position).where(cursor_table.c.follower == follower)
            return int(db.execute(query).scalar() or 0)

    def advance(self, db: Connection, follower: str, position: int) -> None:
        """Move *follower*'s cursor to *position*, in the transaction that holds its work."""
        mine = cursor_table.c.follower == follower
        if db.execute(update(cursor_table).where(mine).values(position=position)).rowcount == 0:
            db.execute(insert(cursor_table).values(follower=follower, position=position))


#: Asked by every follower again and again: made once.
_NEWEST = select(func.coalesce(func.max(event_table.c.position), 0))
_AFTER = (
    select(event_table)
    .where(event_table.c.position > bindparam("position"))
    .order_by(event_table.c.position)
    .limit(bindparam("limit"))
)
_AFTER_OF_TYPES = _AFTER.where(event_table.c.type.in_(bindparam("types", expanding=True)))


def _newest(db: Connection) -> int:
    return int(db.execute(_NEWEST).scalar_one())


def events_after(db: Connection, position: int, *, limit: int = 500, types: Sequence[str] | None = None) -> list[Event]:
    """Return up to *limit* events past *position*, oldest first, as *db* sees them."""
    asked = {"position": position, "limit": limit}
    found = db.execute(_AFTER, asked) if types is None else db.execute(_AFTER_OF_TYPES, {**asked, "types": types})
    return [Event(*row) for row in found]


def events_of(db: Connection, subject: str) -> list[Event]:
    """Return everything that happened to *subject*, oldest first, as *db* sees it."""
    query = select(event_table).where(event_table.c.subject == subject).order_by(event_table.c.position)
    return [Event(*row) for row in db.execute(query)]


#: What a follower wants written once its preparation is done, together with its cursor.
Write = Callable[[Connection], None]


class Follower:
    """A thread that answers each event of the log once, in order, from its own cursor.

    *prepare* does the slow part outside any transaction and returns what is to be written, or None. The write and the
    cursor share a transaction: a crash repeats the event or has answered it, never half. An event that fails three
    times is set aside with an `EventSetAside` in the log, so that one bad object cannot hold up every other patient;
    while the database is away nothing is set aside.
    """

    TRIES = 3
    LOOK_AGAIN_S = 0.5

    def __init__(
        self, name: str, database: Database, events: EventLog, types: Sequence[str], prepare: Callable[[Event], Write | None]
    ) -> None:
        """Follow *types* as *name*; nothing runs before start()."""
        self.name = name
        self._database = database
        self._events = events
        self._types = tuple(types)
        self._prepare = prepare
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin following in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=f"follow-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Finish the event at hand and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        position: int | None = None
        while not self._stop.is_set():
            try:
                if position is None:
                    position = self._events.position_of(self.name)
                found, reached = self._events.read_on(position, self._types, limit=100)
                for event in found:
                    if self._stop.is_set():
                        return
                    self._answer(event, last=event is found[-1])
                    position = event.position
                position = reached  # past news of other types, which need not be looked through again
                if not found:
                    self._events.wait(position, self.LOOK_AGAIN_S, types=self._types)
            except Unavailable as error:
                log.warning("follower %s waits: %s", self.name, error.sentence)
                self._stop.wait(1)
            except Exception:  # of the log itself: an event's own are dealt with below
                log.exception("follower %s failed and looks again", self.name)
                self._stop.wait(1)

    def _answer(self, event: Event, *, last: bool) -> None:
        """Answer one event; one that needs nothing written moves the cursor only as the *last* of those that were read.

        A crash before it repeats events that were answered by nothing, and are again.
        """
        for tries_left in reversed(range(self.TRIES)):
            try:
                write = self._prepare(event)
                if write is None and not last:
                    return
                with self._database.transaction() as db:
                    if write is not None:
                        write(db)
                    self._events.advance(db, self.name, event.position)
            except Unavailable:
                raise
            except Exception as error:
                log.exception("follower %s failed at event %d (%s)", self.name, event.position, event.type)
                if tries_left:
                    self._stop.wait(0.2)
                else:
                    self._set_aside(event, error)
            else:
                return

    def _set_aside(self, event: Event, error: Exception) -> None:
        with self._database.transaction() as db:
            data = {"follower": self.name, "position": event.position, "type": event.type, "error": repr(error)[:500]}
            self._events.append(db, "EventSetAside", event.subject, data)
            self._events.advance(db, self.name, event.position)
