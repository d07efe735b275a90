"""One engine, one MetaData, one way to open a transaction, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    QueuePool,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator, TypeEngine

from telemed.kernel.errors import Invalid, Unavailable

#: One naming convention, so that a migration can name what it drops.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: A counting key: SQLite counts only an INTEGER PRIMARY KEY by itself.
Counter = BigInteger().with_variant(Integer(), "sqlite")

BUSY_S = 30

#: What a connection keeps of the file, and the one that is kept for glances. SQLite's usual 2 MB hold the upper pages of a small
#: archive's indexes, and of a large one's are read anew for every question.
_CACHE_KB, _GLANCE_KB = 8_000, 16_000


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC; a naive one is a programmer's mistake."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use timestamptz where there is one, ISO text where there is not."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a time without a zone cannot be stored: {value!r}"
            raise TypeError(message)
        at = value.astimezone(UTC)
        return at if dialect.name == "postgresql" else at.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy names it
        """Give back an aware moment."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id() -> str:
    """Return a fresh opaque identifier."""
    return uuid.uuid4().hex


class Database:
    """The one database; *url* is a SQLAlchemy URL, ``sqlite:///file`` or ``postgresql+psycopg://...``.

    SQLite runs WAL with synchronous=FULL (NORMAL loses acknowledged commits at a power cut) and one writer at a time:
    a write transaction begins IMMEDIATE behind a lock of ours, so writers wait their turn instead of failing as busy.
    What an error says leaves out the values of the statement: it is logged, and they are about patients.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """Prepare the engine; nothing is opened yet."""
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise Invalid("the database URL cannot be read: write --database postgresql://user:password@host/name") from None
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._writing = threading.RLock()
        self._glance_lock = threading.Lock()
        self._glance: Connection | None = None
        self._data_version: tuple[int] | None = None
        self._version = 0
        self._closed = False
        if self.is_sqlite:
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            # The connection used last is taken first: it remembers most of the file, and the fewest of them do.
            connect = {"timeout": BUSY_S, "check_same_thread": False}
            self.engine = create_engine(
                parsed, hide_parameters=True, connect_args=connect, poolclass=QueuePool, pool_use_lifo=True
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
        else:
            self.engine = create_engine(
                parsed, hide_parameters=True, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True
            )
            event.listen(self.engine, "connect", _prepare_postgresql)
        event.listen(self.engine, "checkin", self._take_back)
        event.listen(self.engine, "handle_error", _refuse_what_cannot_be_kept)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a writing transaction: committed at the end of the block, rolled back by any error.

        Raises
        ------
        Unavailable
            when the database cannot be reached, is full, or stays locked.
        """
        if self.is_sqlite:
            with self._writing, self._connection() as db:
                db.exec_driver_sql("BEGIN IMMEDIATE")
                yield from _committed(db)
        else:
            with self._connection() as db:
                yield from _committed(db)

    @contextmanager
    def altering(self) -> Iterator[Connection]:
        """Open a transaction that may change the schema.

        SQLite alters a table by copying it and dropping the first, which takes the rows that refer to it with it: for as long
        as this lasts references are not enforced, and all of them are checked before it is committed.
        """
        if not self.is_sqlite:
            with self.transaction() as db:
                yield db
            return
        with self._writing, self._connection() as db:
            db.exec_driver_sql("PRAGMA foreign_keys=OFF")  # has no effect once a transaction is open
            try:
                db.exec_driver_sql("BEGIN IMMEDIATE")
                yield from _committed(db, before=_refuse_loose_references)
            finally:
                db.exec_driver_sql("PRAGMA foreign_keys=ON")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open one consistent view for reading only; nothing written in it is kept."""
        with self._connection() as db:
            if self.is_sqlite:
                db.exec_driver_sql("BEGIN")
            try:
                yield db
            finally:
                db.rollback()

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """Open a reading view for a few rows by their key, over a connection kept for that; SQLite only.

        There such a question is answered in less time than a thread takes to wake: an event loop may ask it itself, for it
        waits neither for a writer nor for a connection to be free.
        """
        with self._glance_lock, self._understood():
            db, driver = self._kept_connection(), self._driver()
            driver.execute("BEGIN")  # SQLAlchemy takes as long over it as over the question
            try:
                yield db
            finally:
                db.rollback()
                driver.rollback()  # SQLAlchemy ends no more than it began: nothing, where an error came before the question

    def version(self) -> int | None:
        """Return a number that stays as it is while nobody commits anything, in this process or in another.

        What is read after asking for it holds for as long as it stays. None on PostgreSQL, which keeps no such number.
        """
        if not self.is_sqlite:
            return None
        with self._glance_lock, self._understood():
            try:
                found = self._driver().execute("PRAGMA data_version").fetchall()[0]
            except sqlite3.Error:  # whoever asks again is told what is wrong
                found = None
            if found is None or found != self._data_version:
                self._data_version = found
                self._version += 1
            return self._version

    def _kept_connection(self) -> Connection:
        if self._glance is None:
            self._glance, self._data_version = self.engine.connect(), None
            self._glance.exec_driver_sql(f"PRAGMA cache_size=-{_GLANCE_KB}")
            self._glance.rollback()
        return self._glance

    def _driver(self) -> sqlite3.Connection:
        driver = self._kept_connection().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def _renew(self) -> None:
        with self._glance_lock:
            if self._glance is not None:
                self._glance.close()
                self._glance = None
            self.engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._understood(), self.engine.connect() as db:
            yield db

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except NoConnectionFreeError as error:
            raise Unavailable("every connection to the database is in use; try again in a moment", code="database") from error
        except OperationalError as error:
            code = getattr(error.orig, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_ERROR:  # a statement of ours that SQLite does not understand
                raise
            full = code == sqlite3.SQLITE_FULL
            raise Unavailable(
                f"the database did not answer: {error.orig}", code="out-of-space" if full else "database"
            ) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("the connection to the database was lost") from error
            raise

    def is_up(self) -> bool:
        """Tell whether a trivial query answers."""
        try:
            with self.reading() as db:
                db.execute(text("SELECT 1"))
        except Unavailable:
            return False
        return True

    def take_stock(self) -> None:
        """Let SQLite look at how full its tables are, which it never does by itself; PostgreSQL does.

        A sample of each index tells its planner enough; the connections are renewed, for they keep what they knew.
        """
        if self.is_sqlite:
            with self.transaction() as db:
                db.exec_driver_sql("PRAGMA analysis_limit=1000")
                db.exec_driver_sql("ANALYZE")
            self._renew()

    def close(self) -> None:
        """Close every connection; one that a thread still has, as soon as it is done with it."""
        self._closed = True
        self._renew()

    def _take_back(self, _driver: object, record: ConnectionPoolEntry) -> None:
        if self._closed:
            record.close()


def serialise(db: Connection, key: int) -> None:
    """Let one transaction at a time pass this point, until it ends.

    SQLite has one writer anyhow. On PostgreSQL an advisory lock orders the commits, so that a reader's cursor never
    steps over a row whose number was taken early and committed late.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def on_commit(db: Connection, callback: Callable[[], None]) -> None:
    """Call *callback* once the transaction open on *db* has been committed; never if it is rolled back."""
    db.info.setdefault("on_commit", []).append(callback)


def _refuse_loose_references(db: Connection) -> None:
    loose = db.exec_driver_sql("PRAGMA foreign_key_check").first()
    if loose is not None:
        message = f"a row of {loose[0]} would refer to nothing in {loose[2]}"
        raise RuntimeError(message)


def _committed(db: Connection, before: Callable[[Connection], None] | None = None) -> Iterator[Connection]:
    db.info.pop("on_commit", None)
    try:
        yield db
        if before is not None:
            before(db)
    except BaseException:
        db.rollback()
        raise
    db.commit()
    for callback in db.info.pop("on_commit", ()):
        callback()


def _refuse_what_cannot_be_kept(context: ExceptionContext) -> None:
    """Say of a value that no column takes that the value is wrong, not we: it came from outside.

    It is half a character (a lone surrogate), or a number or a moment out of range; PostgreSQL takes no NUL in a text, either,
    and minds the lengths of its columns.
    """
    error, said = context.original_exception, context.sqlalchemy_exception
    if isinstance(error, UnicodeEncodeError | OverflowError) or isinstance(said, DataError):
        raise Invalid(
            "something in it cannot be kept or looked for: it is no text, too long or out of range", code="value"
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.isolation_level = None  # BEGIN is ours: the driver's own comes too late and never IMMEDIATE
    cursor = connection.cursor()
    settings = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_S * 1000}")
    for pragma in (*settings, f"cache_size=-{_CACHE_KB}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    # A statement asked a few times would be planned once for all values: then the beginning of a name reads every patient.
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.commit()
