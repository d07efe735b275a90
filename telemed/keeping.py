"""What is kept, opened and closed: all that a command of the administrator needs, and a second sooner than the whole house."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from consult.consents.verification import differences as consent_differences
from consult.reports.document.authority import Authority
from consult.reports.verification import differences as report_differences
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.journal import JournalReader
from dicom_node.archive.verification import differences as archive_differences
from telemed import schema
from telemed.config import Config
from telemed.kernel.audit import AuditTrail, Chronicle, broken_seals
from telemed.kernel.clock import SystemClock
from telemed.kernel.database import Database
from telemed.kernel.errors import Refused
from telemed.kernel.events import EventLog


@dataclass(frozen=True)
class Kept:
    """What is kept: the database with its log and trail, the blobs, and the keys that reports are signed with."""

    database: Database
    chronicle: Chronicle
    blobs: Blobs
    archive: Archive
    authority: Authority


@contextmanager
def kept(config: Config) -> Iterator[Kept]:
    """Open what is kept, its schema brought up to date, and close it again."""
    config.data.mkdir(parents=True, exist_ok=True)
    clock, database = SystemClock(), Database(config.database_url)
    try:
        schema.upgrade(database)
        chronicle = Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
        blobs = Blobs(config.data / "blobs")
        authority = Authority(config.data / "authority", timestamp_url=config.timestamp_url)
        yield Kept(database, chronicle, blobs, Archive(database, chronicle, blobs), authority)
    finally:
        database.close()


def migrate(config: Config) -> str:
    """Bring the database to this version's schema and say what was done."""
    config.data.mkdir(parents=True, exist_ok=True)
    database = Database(config.database_url)
    try:
        return schema.upgrade(database)
    finally:
        database.close()


def differences(config: Config) -> Iterator[str]:
    """Name every difference between what was received or signed and what is kept, and every break in the audit trail."""
    damaged: set[str] = set()
    with kept(config) as store:
        yield from archive_differences(store.database, store.blobs, damaged)
        yield from report_differences(store.database, store.authority, damaged)
        yield from consent_differences(store.database)
        with store.database.reading() as db:
            yield from broken_seals(db)


def authority_certificate(config: Config) -> str:
    """Return the certificate (PEM) of the authority that certifies who signs, made now if it was never needed."""
    with kept(config) as store:
        return store.authority.certificate(store.chronicle.clock.now()).public_bytes(Encoding.PEM).decode()


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the data folder; the lock goes with the process, however it ends.

    Raises
    ------
    Refused
        when another server runs on it.
    """
    with (data / "telemed.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"another telemed is running on {data}; stop it first, or choose another folder with --data") from None
        yield


def is_interrupted(config: Config) -> bool:
    """Tell whether no server runs here and the last one ended before it had filed what its journal holds."""
    if not config.data.is_dir():
        return False
    try:
        with alone(config.data):
            reader = JournalReader(config.data / "blobs" / "journal")
            try:
                return any(True for segment in reader.segments() for _ in reader.records(segment))
            finally:
                reader.close()
    except Refused:
        return False
