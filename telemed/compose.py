"""The composition root: every object of the house is built here, and nowhere else."""

from __future__ import annotations

import ipaddress
import os
import shutil
import ssl
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Protocol

from aiohttp import web
from sqlalchemy import Connection, select

from consult.access import visible_to_equipment
from consult.delivery.channels import Gateways
from consult.delivery.watch import Arrivals, Telling
from consult.gate.watch import CouchGate
from consult.intake import DEMO_ROUTING, Intake
from consult.peer_review.watch import PeerReviews
from consult.practitioners.views import institution_of_ae
from consult.queue.escalation import TASKS
from consult.queue.watch import QueueWatch
from consult.recordings import Recordings
from consult.reports.watch import Returning
from consult.requests.model import WORKLIST_REACHES_BACK
from consult.requests.views import scheduled
from consult.schedule.watch import RotaWatch
from consult.sections.actions import SECTIONS
from consult.tray import Matching
from dicom_node.access import Access
from dicom_node.archive.rereading import Rereading
from dicom_node.archive.settling import Settling
from dicom_node.archive.tables import instance_table
from dicom_node.conformance import statement
from dicom_node.directory import Directory
from dicom_node.forwarding.sending import Forwarding
from dicom_node.imaging.cache import RecentlyUsed
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.offsets import FrameOffsets, RecordingOffsets
from dicom_node.imaging.preparing import Preparing
from dicom_node.imaging.shelf import Shelf
from dicom_node.node import DicomNode
from dicom_node.peers import Rewrite
from dicom_node.refusals import Refusals
from dicom_node.services.commitment_request import Reports
from dicom_node.services.exchange import Service
from dicom_node.services.mpps import Performed, expected_instances
from dicom_node.services.query_retrieve import Finding
from dicom_node.services.retrieval import Getting, Moving
from dicom_node.services.storage_commitment import Commitments, Committing, Reporting
from dicom_node.services.worklist import ScheduledStep, Worklist
from dicom_node.tls import TlsSettings, client_context
from telemed import seeding
from telemed.config import Config
from telemed.keeping import Kept
from telemed.kernel.audit import Witness
from telemed.kernel.clock import Clock
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid
from telemed.stocktaking import Stocktaking
from web.accounts.passwords import Passwords
from web.application import make_application

#: The built browser application and the fonts of the reports, shipped inside the package.
STATIC = Path(str(resources.files("web"))) / "static"

#: What transcoded frames and objects, and pictures drawn beforehand, may take on disk.
CACHE_BYTES = 2 << 30
#: An ECG that arrives is analysed beside receiving and the pictures that people wait for: it gets a tenth of a processor as
#: long as these want all of it, and the rest of it otherwise.
ANALYSIS_NICENESS = 10


class Worker(Protocol):
    """Something that runs beside the servers."""

    def start(self) -> None:
        """Begin."""

    def stop(self, seconds: float = 10) -> None:
        """Finish the work at hand and end."""


@dataclass(frozen=True)
class House:
    """Everything that runs, not yet started."""

    kept: Kept
    confinement: Confinement
    analysing: Confinement
    passwords: Passwords
    node: DicomNode
    workers: tuple[Worker, ...]
    application: web.Application


def house(config: Config, store: Kept) -> House:
    """Build the house over what is kept."""
    database, chronicle, archive = store.database, store.chronicle, store.archive
    confinement, analysing, passwords = Confinement(), Confinement(niceness=ANALYSIS_NICENESS), Passwords()
    witness = Witness(database, chronicle.trail)
    refusals = Refusals(witness)
    institution_of = _Institutions(database, everybody_is_the_clinic=config.demo)
    access = Access(institution_of, called_aet=config.aet, refused=refusals.note)
    imaging = Imaging(confinement, shelf=Shelf(config.data / "cache", CACHE_BYTES), offsets=FrameOffsets(database))
    directory, rewrite = Directory(calling_tls(config)), _rewriting(imaging)
    commitments = Commitments(database, chronicle, archive, aet=config.aet, directory=directory)
    forwarding = Forwarding(database, chronicle, archive, aet=config.aet, directory=directory, rewrite=rewrite)
    committing = Committing(commitments, reports=Reports(forwarding.told))
    node = DicomNode(
        archive,
        access,
        aet=config.aet,
        host=config.dicom.host,
        port=config.dicom.port,
        services=_services(config, store, witness, committing, directory=directory, rewrite=rewrite),
        tls=tls_settings(config),
        processes=config.node_processes or len(os.sched_getaffinity(0)),
    )
    smtp = (config.smtp.host, config.smtp.port) if config.smtp else None
    gateways = Gateways(smtp, config.mail_from, config.sms_gateway, config.voice_gateway)
    workers = (
        witness,
        refusals,
        Settling(
            database, chronicle, announced=expected_instances, filed_until=archive.arrivals.filed_until, quiet_s=config.quiet_s
        ),
        Intake(database, chronicle, routing=DEMO_ROUTING),
        CouchGate(database, chronicle, archive, analysing),
        Recordings(database, chronicle, archive, analysing),
        Recordings(database, chronicle, archive, analysing, long=True),
        Matching(database, chronicle),
        QueueWatch(database, chronicle, leased=(TASKS, SECTIONS)),
        RotaWatch(database, chronicle),
        Telling(database, chronicle, gateways),
        Arrivals(database, chronicle),
        Returning(database, chronicle, archive),
        PeerReviews(database, chronicle),
        Rereading(database, chronicle, store.blobs),
        Reporting(commitments),
        RecordingOffsets(database, chronicle, archive, confinement),
        Preparing(database, chronicle, archive, imaging, analysing),
        forwarding,
        Stocktaking(database),
    )
    application = make_application(
        gateways=gateways,
        database=database,
        chronicle=chronicle,
        witness=witness,
        archive=archive,
        confinement=confinement,
        passwords=passwords,
        authority=store.authority,
        checks={"node": lambda: node.is_listening, "blobs": lambda: os.access(config.data, os.W_OK)},
        static_folder=STATIC,
        fonts_folder=STATIC / "fonts",
        uploads_folder=_emptied(config.data / "uploads"),
        imaging=imaging,
        ice_servers=config.ice_servers,
        dicom_address=f"{config.aet}@{config.dicom}",
    )
    return House(store, confinement, analysing, passwords, node, workers, application)


def _services(
    config: Config, store: Kept, witness: Witness, committing: Committing, *, directory: Directory, rewrite: Rewrite
) -> tuple[Service, ...]:
    """Build every service of the node beside storage and verification."""
    database, chronicle, archive = store.database, store.chronicle, store.archive
    return (
        Finding(database, witness, visible_to_equipment, aet=config.aet),
        Moving(database, chronicle, archive, visible_to_equipment, aet=config.aet, directory=directory, rewrite=rewrite),
        Getting(database, chronicle, archive, visible_to_equipment, aet=config.aet, rewrite=rewrite),
        committing,
        Worklist(witness, _Scheduled(database, chronicle.clock)),
        Performed(database, chronicle),
    )


def _emptied(folder: Path) -> Path:
    """Return *folder* without what a crash left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _rewriting(imaging: Imaging) -> Rewrite:
    """Let objects be written anew, confined, for peers that refuse them as they are."""
    return lambda parcel, syntax: imaging.file_in(parcel.path, syntax, digest=parcel.digest)


def tls_settings(config: Config) -> TlsSettings | None:
    """Return the settings of the TLS listener, None when none is wanted; Invalid when a file is not named."""
    if config.dicom_tls is None:
        return None
    certificate, key, client_ca = config.dicom_tls_certificate, config.dicom_tls_key, config.dicom_tls_client_ca
    if certificate is None or key is None or client_ca is None:
        raise Invalid("dicom_tls needs dicom_tls_certificate, dicom_tls_key and dicom_tls_client_ca, too")
    return TlsSettings(config.dicom_tls.host, config.dicom_tls.port, certificate, key, client_ca)


def calling_tls(config: Config) -> ssl.SSLContext | None:
    """Return how peers are spoken to that want TLS, None when the files for it are not named; Invalid when one is of no use."""
    if config.dicom_tls_client_ca is None:
        return None
    return client_context(config.dicom_tls_client_ca, config.dicom_tls_certificate, config.dicom_tls_key)


def has_instances(db: Connection) -> bool:
    """Tell whether anything was ever received."""
    return db.execute(select(instance_table.c.id).limit(1)).first() is not None


def conformance(config: Config) -> str:
    """Return the DICOM Conformance Statement of a node with these settings."""
    return statement(config.aet, (Finding, Moving, Getting, Committing, Worklist, Performed))


@dataclass(frozen=True)
class _Scheduled:
    """The worklist's source: examinations of the last days and all to come for which no study has arrived."""

    database: Database
    clock: Clock

    def __call__(self, institution: str) -> list[ScheduledStep]:
        with self.database.reading() as db:
            plans = scheduled(db, institution, since=self.clock.now() - WORKLIST_REACHES_BACK)
        return [
            ScheduledStep(
                identifier=plan.id[:16],
                accession_number=plan.accession_number,
                study_instance_uid=plan.study_instance_uid,
                patient_id=plan.patient_id,
                patient_name=plan.name,
                patient_sex=plan.sex,
                patient_birth_date=plan.birth_date,
                modality=plan.modality,
                station_aet=plan.station_aet,
                description=plan.description,
                starts_at=plan.scheduled_at,
            )
            for plan in plans
        ]


@dataclass(frozen=True)
class _Institutions:
    """Whose modality calls, by the bindings in the database; in the demo every private address is the clinic's.

    What was found is believed while nothing at all is committed (`Database.version`).
    """

    database: Database
    everybody_is_the_clinic: bool
    known: RecentlyUsed[tuple[int, str | None]] = field(default_factory=lambda: RecentlyUsed(1_000))

    def __call__(self, ae_title: str, address: str, fingerprint: str) -> str | None:
        version, key = self.database.version(), (ae_title, address, fingerprint)
        known = self.known.get(key)
        if known is not None and known[0] == version:
            return known[1]
        found = self._found(ae_title, address, fingerprint)
        if version is not None:
            self.known.put(key, (version, found), 1)
        return found

    def _found(self, ae_title: str, address: str, fingerprint: str) -> str | None:
        with self.database.reading() as db:
            found = institution_of_ae(db, ae_title, address, fingerprint)
            caller = ipaddress.ip_address(address)
            if found is None and self.everybody_is_the_clinic and (caller.is_private or caller.is_loopback):
                found = seeding.clinic_id(db)
        return found
