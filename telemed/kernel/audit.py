"""The audit trail: who did what to what, written in the transaction that did it, each record sealed to the one before.

The fields follow DICOM PS3.15 A.5 (audit message) and FHIR AuditEvent. The hash of a record covers its content and the
previous hash, so that an altered, removed or reordered record breaks the chain where it happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, Index, Integer, String, Table, insert, select

from telemed.kernel.clock import Clock, rfc3339
from telemed.kernel.database import Counter, UtcDateTime, metadata, serialise
from telemed.kernel.events import Event, EventLog

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
        serialise(db, AUDIT_LOCK)
        newest = db.execute(_NEWEST).first()
        sequence, previous = (newest.sequence + 1, newest.seal) if newest else (1, FIRST_SEAL)
        now = self._clock.now()
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        seal = _seal(previous, sequence, at, record)
        db.execute(_APPEND, {"sequence": sequence, "at": at, "seal": seal, **asdict(record)})


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
