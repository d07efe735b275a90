"""`telemed doctor`: what stands between this machine and a running server, one finding a line."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from consult.reports.document.authority import Authority
from dicom_node import directory
from dicom_node.archive.journal import JournalReader
from dicom_node.peers import echo
from dicom_node.tls import context_of
from telemed import compose, schema
from telemed.config import Address, Config
from telemed.kernel.clock import SystemClock
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, TelemedError

#: Less free space than this is a matter of days in a busy county.
ENOUGH_BYTES = 10 << 30
#: An acknowledgement waits for this twice: more is felt at the modality.
SLOW_SYNC_S = 0.1
#: So many objects waiting to be filed is more than a busy minute brings.
MUCH_UNFILED = 1000
#: A certificate that ends sooner should have its successor by now.
SOON = timedelta(days=30)
#: The first day this program knew: a clock before it is wrong.
BORN = 2026


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    fine: bool
    sentence: str


def examine(config: Config) -> Iterator[Finding]:
    """Look at data folder, disk, clock, database, front end, ports, certificates, journal and peers; changes nothing kept."""
    yield from _disk(config)
    now = SystemClock().now()
    yield Finding(
        "clock", now.year >= BORN, f"it is {now:%Y-%m-%d %H:%M:%S} UTC; keep it disciplined by NTP, for the ledger stands on it"
    )
    yield _database(config)
    built = (compose.STATIC / "index.html").is_file()
    yield Finding("front end", built, "built" if built else "not built: run `make setup`")
    for what, address in (("web", config.http), ("DICOM", config.dicom), ("DICOM over TLS", config.dicom_tls)):
        if address is not None:
            yield _port(what, address)
    if config.dicom_tls is not None:
        yield _certificate(config)
    yield from _signers(config.data / "authority", now)
    yield _journal(config.data / "blobs" / "journal")
    yield from _peers(config)


def _disk(config: Config) -> Iterator[Finding]:
    folder = config.data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        begun = time.perf_counter()
        with probe.open("wb") as file:
            file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        took = time.perf_counter() - begun
        probe.unlink()
    except OSError as error:
        yield Finding("data", fine=False, sentence=f"{folder} cannot be written ({error.strerror}): choose another with --data")
        return
    free = shutil.disk_usage(folder).free
    yield Finding("data", free >= ENOUGH_BYTES, f"{folder.resolve()} has {free / (1 << 30):.0f} GiB free")
    yield Finding("disk", took < SLOW_SYNC_S, f"1 MiB was on the disk after {took * 1000:.0f} ms")


def _database(config: Config) -> Finding:
    database = Database(config.database_url)
    try:
        if not database.is_up():
            return Finding("database", fine=False, sentence="it does not answer: is --database right, and does it run?")
        version, newest = schema.version(database), schema.newest_version()
    finally:
        database.close()
    if version is None:
        return Finding("database", fine=True, sentence="empty; the first start makes the schema")
    return Finding(
        "database",
        version == newest,
        f"schema {version}" + ("" if version == newest else f", this program's is {newest}: `telemed migrate`"),
    )


def _certificate(config: Config) -> Finding:
    try:
        settings = compose.tls_settings(config)
        assert settings is not None
        context_of(settings)
    except Invalid as error:
        return Finding("certificate", fine=False, sentence=error.sentence)
    return Finding("certificate", fine=True, sentence=f"{settings.certificate} and its key can be used")


def _signers(folder: Path, now: datetime) -> Iterator[Finding]:
    """Look at the certificates that other authorities issued to those who sign: once one has ended its owner cannot."""
    for certificate in Authority(folder).issued():
        ends, whose = certificate.not_valid_after_utc, certificate.subject.rfc4514_string()
        yield Finding("signer", ends > now + SOON, f"the certificate of {whose} is valid until {ends:%Y-%m-%d}")


def _journal(folder: Path) -> Finding:
    """Look at how much is acknowledged and not yet filed: little while a server runs, nothing once one has stopped."""
    reader = JournalReader(folder)
    try:
        waiting = sum(1 for segment in reader.segments() for _ in reader.records(segment))
    finally:
        reader.close()
    return Finding(
        "journal",
        waiting < MUCH_UNFILED,
        f"{waiting} objects are acknowledged and not yet filed" + ("; the next start files them" if waiting else ""),
    )


def _peers(config: Config) -> Iterator[Finding]:
    """Echo every node that `telemed peer` names."""
    database = Database(config.database_url)
    try:
        if not database.is_up() or schema.version(database) != schema.newest_version():
            return
        with database.reading() as db:
            entries = directory.entries(db)
    finally:
        database.close()
    for entry in entries:
        try:
            echo(directory.Directory(compose.calling_tls(config)).peer(entry), calling_aet=config.aet)
        except TelemedError as error:
            yield Finding("peer", fine=False, sentence=error.sentence)
        else:
            yield Finding("peer", fine=True, sentence=f"{entry.ae_title}@{entry.address} answers")


def _port(what: str, address: Address) -> Finding:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return Finding(
                what, fine=False, sentence=f"{address} cannot be had ({error.strerror}): another server may be running"
            )
    return Finding(what, fine=True, sentence=f"{address} is free")
