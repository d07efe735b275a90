"""The audit trail: who did what to what, written in the transaction that did it, each record sealed to the one before.

The fields follow DICOM PS3.15 A.5 (audit message) and FHIR AuditEvent. The hash of a record covers its content and the
previous hash, so that an altered, removed or reordered record breaks the chain where it happened.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, Index, Integer, String, Table, insert, select

from telemed.kernel.clock import Clock, rfc3339
from telemed.kernel.database import Counter, Database, UtcDateTime, metadata, serialise
from telemed.kernel.errors import Unavailable
from telemed.kernel.events import Event, EventLog

log = logging.getLogger(__name__)

AUDIT_LOCK = 0x7E1E0002
FIRST_SEAL = "0" * 64

audit_table = Table(
    "audit_record",
    metadata,
    Column("sequence", Counter, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("entity_id", String(128), nullable=False),
    Column("outcome", Integer, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("seal", String(64), nullable=False),
    Index(None, "entity", "entity_id"),
    Index(None, "actor", "at"),
)


_NEWEST = select(audit_table.c.sequence, audit_table.c.seal).order_by(audit_table.c.sequence.desc()).limit(1)
_APPEND = insert(audit_table)


@dataclass(frozen=True)
class AuditRecord:
    """One deed. *outcome* is 0 for success, 4 minor, 8 serious failure (PS3.15 A.5, EventOutcomeIndicator)."""

    actor: str
    action: str
    entity: str
    entity_id: str
    institution: str = ""
    outcome: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


class AuditTrail:
    """Appends sealed records, and checks the seals."""

    def __init__(self, clock: Clock) -> None:
        """Date the records by *clock*."""
        self._clock = clock

    def append(self, db: Connection, record: AuditRecord) -> None:
        """Write *record* in the caller's transaction: no deed without its record, no record without its deed."""
        self.append_all(db, [(self.now(), record)])

    def append_all(self, db: Connection, records: Sequence[tuple[datetime, AuditRecord]]) -> None:
        """Write many records, each with its moment from `now`, in their order and nearly at the cost of one."""
        serialise(db, AUDIT_LOCK)
        newest = db.execute(_NEWEST).first()
        sequence, seal = (newest.sequence, newest.seal) if newest else (0, FIRST_SEAL)
        rows = []
        for at, record in records:
            sequence += 1
            seal = _seal(seal, sequence, at, record)
            rows.append({"sequence": sequence, "at": at, "seal": seal, **asdict(record)})
        db.execute(_APPEND, rows)

    def now(self) -> datetime:
        """Return this moment as a record keeps it, to the millisecond."""
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def broken_seals(db: Connection) -> Iterator[str]:
    """Name each place where the chain does not hold; nothing when the trail is whole."""
    expected, previous = 1, FIRST_SEAL
    for row in db.execute(select(audit_table).order_by(audit_table.c.sequence)).mappings():
        values = dict(row)
        sequence, at, seal = values.pop("sequence"), values.pop("at"), values.pop("seal")
        if sequence != expected:
            yield f"audit records {expected} to {sequence - 1} are missing"
        if seal != _seal(previous, sequence, at, AuditRecord(**values)):
            yield f"audit record {sequence} was altered, or the one before it was"
        expected, previous = sequence + 1, seal


def _seal(previous: str, sequence: int, at: datetime, record: AuditRecord) -> str:
    content = json.dumps([previous, sequence, rfc3339(at), asdict(record)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Chronicle:
    """The clock, the log and the trail, handed together to whatever changes something."""

    clock: Clock
    events: EventLog
    trail: AuditTrail

    def enter(
        self, db: Connection, type_: str, subject: str, data: Mapping[str, Any], *, actor: str, institution: str, entity: str
    ) -> Event:
        """Write the event and the record of the same deed; the event's type is the record's action."""
        event = self.events.append(db, type_, subject, data)
        self.trail.append(db, AuditRecord(actor, type_, entity, subject, institution, detail=data))
        return event

    def enter_all(
        self,
        db: Connection,
        type_: str,
        news: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        actor: str,
        institution: str,
        entity: str,
    ) -> None:
        """Write the same of many, each a subject and its data, in their order and nearly at the cost of one."""
        at = self.trail.now()
        self.events.append_all(db, [(type_, subject, data) for subject, data in news])
        records = [AuditRecord(actor, type_, entity, subject, institution, detail=data) for subject, data in news]
        self.trail.append_all(db, [(at, record) for record in records])


class Witness:
    """Writes down what was only asked, in the moment after the answer: all that was asked meanwhile in one transaction.

    A commit waits for the disk, and a question, which changes nothing, need not wait with it. A crash takes the questions of
    the last SOON_S with it, an orderly stop none. While they cannot be written no more than MOST are answered.
    """

    SOON_S = 0.1
    AGAIN_S = 1.0
    MOST = 1_000

    def __init__(self, database: Database, trail: AuditTrail) -> None:
        """Write to *trail* in *database*; nothing is written before start()."""
        self._database = database
        self._trail = trail
        self._noted: list[tuple[datetime, AuditRecord]] = []
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, record: AuditRecord) -> None:
        """Let *record* be written soon; its moment is now.

        Raises
        ------
        Unavailable
            when too many wait to be written: nothing is answered of which there would be no record.
        """
        with self._news:
            if len(self._noted) >= self.MOST:
                raise Unavailable("what is asked cannot be written down: the database does not answer", code="database")
            self._noted.append((self._trail.now(), record))
            if len(self._noted) == 1:
                self._news.notify()

    def start(self) -> None:
        """Begin writing, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10) -> None:
        """Write what is left and end."""
        self._stop.set()
        with self._news:
            self._news.notify()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._news:
                self._news.wait_for(lambda: self._noted or self._stop.is_set())
            self._stop.wait(self.SOON_S)
            try:
                self._write()
            except Unavailable as error:
                log.warning("questions wait to be written into the audit trail: %s", error.sentence)
                self._stop.wait(self.AGAIN_S)
        try:
            self._write()
        except Unavailable:
            log.error("%d questions are not in the audit trail: the database did not answer", len(self._noted))  # noqa: TRY400 - said in one sentence

    def _write(self) -> None:
        with self._news:
            records = list(self._noted)
        if not records:
            return
        try:
            self._commit(records)
        except Unavailable:
            raise
        except Exception:
            log.exception("questions could not be written into the audit trail together")
            self._write_singly(records)
        with self._news:
            del self._noted[: len(records)]

    def _write_singly(self, records: Sequence[tuple[datetime, AuditRecord]]) -> None:
        """Let one that the database does not take hold up no other."""
        for one in records:
            try:
                self._commit([one])
            except Unavailable:
                raise
            except Exception:
                log.exception("a question could not be written into the audit trail")

    def _commit(self, records: Sequence[tuple[datetime, AuditRecord]]) -> None:
        with self._database.transaction() as db:
            self._trail.append_all(db, records)
