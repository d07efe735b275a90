"""The composition root: every object of the house is built here, and nowhere else."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

from aiohttp import web
from sqlalchemy import Connection, select

from consult.intake import DEMO_ROUTING, Intake
from consult.practitioners.views import institution_of_ae
from consult.queue.sla import SlaWatch
from dicom_node.access import Access
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.settling import Settling
from dicom_node.archive.tables import instance_table
from dicom_node.archive.verification import differences as archive_differences
from dicom_node.conformance import statement
from dicom_node.node import DicomNode
from telemed import schema, seeding
from telemed.config import Config
from telemed.kernel.audit import AuditTrail, Chronicle, broken_seals
from telemed.kernel.clock import SystemClock
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.events import EventLog
from web.accounts.passwords import Passwords
from web.application import make_application

#: The built browser application and the fonts of the reports, shipped inside the package.
STATIC = Path(str(resources.files("web"))) / "static"


class Worker(Protocol):
    """Something that runs beside the servers."""

    def start(self) -> None:
        """Begin."""

    def stop(self, seconds: float = 10) -> None:
        """Finish the work at hand and end."""


@dataclass(frozen=True)
class Kept:
    """What is kept: the database with its log and trail, and the blobs."""

    database: Database
    chronicle: Chronicle
    blobs: Blobs
    archive: Archive


@dataclass(frozen=True)
class House:
    """Everything that runs, not yet started."""

    kept: Kept
    confinement: Confinement
    passwords: Passwords
    node: DicomNode
    workers: tuple[Worker, ...]
    application: web.Application


@contextmanager
def kept(config: Config) -> Iterator[Kept]:
    """Open what is kept, its schema brought up to date, and close it again."""
    config.data.mkdir(parents=True, exist_ok=True)
    clock, database = SystemClock(), Database(config.database_url)
    try:
        schema.upgrade(database)
        chronicle = Chronicle(clock, EventLog(database, clock), AuditTrail(clock))
        blobs = Blobs(config.data / "blobs")
        yield Kept(database, chronicle, blobs, Archive(database, chronicle, blobs))
    finally:
        database.close()


def house(config: Config, store: Kept) -> House:
    """Build the house over what is kept."""
    database, chronicle, archive = store.database, store.chronicle, store.archive
    confinement, passwords = Confinement(), Passwords()
    access = Access(_Institutions(database, everybody_is_the_clinic=config.demo), called_aet=config.aet)
    processes = config.node_processes or len(os.sched_getaffinity(0))
    node = DicomNode(archive, access, aet=config.aet, host=config.dicom.host, port=config.dicom.port, processes=processes)
    workers = (
        Settling(database, chronicle, quiet_s=config.quiet_s),
        Intake(database, chronicle, archive, confinement, routing=DEMO_ROUTING),
        SlaWatch(database, chronicle),
    )
    application = make_application(
        database=database,
        chronicle=chronicle,
        archive=archive,
        confinement=confinement,
        passwords=passwords,
        checks={"node": lambda: node.is_listening, "blobs": lambda: os.access(config.data, os.W_OK)},
        static_folder=STATIC,
        fonts_folder=STATIC / "fonts",
        ice_servers=config.ice_servers,
        dicom_address=f"{config.aet}@{config.dicom}",
    )
    return House(store, confinement, passwords, node, workers, application)


def migrate(config: Config) -> str:
    """Bring the database to this version's schema and say what was done."""
    config.data.mkdir(parents=True, exist_ok=True)
    database = Database(config.database_url)
    try:
        return schema.upgrade(database)
    finally:
        database.close()


def differences(config: Config) -> Iterator[str]:
    """Name every difference between what was received and what is kept, and every break in the audit trail."""
    with kept(config) as store:
        yield from archive_differences(store.database, store.blobs)
        with store.database.reading() as db:
            yield from broken_seals(db)


def has_instances(db: Connection) -> bool:
    """Tell whether anything was ever received."""
    return db.execute(select(instance_table.c.id).limit(1)).first() is not None


def conformance(config: Config) -> str:
    """Return the DICOM Conformance Statement of a node with these settings."""
    return statement(config.aet)


@dataclass(frozen=True)
class _Institutions:
    """Whose modality calls, by the bindings in the database; in the demo every private address is the clinic's."""

    database: Database
    everybody_is_the_clinic: bool

    def __call__(self, ae_title: str, address: str) -> str | None:
        with self.database.reading() as db:
            found = institution_of_ae(db, ae_title, address)
            caller = ipaddress.ip_address(address)
            if found is None and self.everybody_is_the_clinic and (caller.is_private or caller.is_loopback):
                found = seeding.clinic_id(db)
        return found
