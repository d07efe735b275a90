"""A clinic's study in a real archive, and a specialist who signs reports about it: documents, keys, returned objects."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sqlalchemy import select
from support.builders import County, a_county, a_task
from support.time import StandingClock

import sample_data
from consult.delivery.actions import read_back
from consult.practitioners.model import Viewer
from consult.queue.actions import claim
from consult.reports.actions import amend_report, append_to_report, cancel_report, save_draft, sign_task
from consult.reports.document.authority import Authority
from consult.reports.document.documents import Documents
from consult.reports.model import Draft, Report, Withdrawal
from consult.reports.tables import document_table
from consult.reports.views import objects_of
from consult.reports.watch import Returning
from consult.requests.model import Kind
from dicom_node.archive import index
from dicom_node.archive.archive import Archive, Stored
from dicom_node.archive.blobs import Blobs
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database

FONTS = Path(__file__).parents[2] / "web" / "static" / "fonts"
SLICES = [sample_data.FILES / "studies" / "ct-head" / f"{number:03}.dcm" for number in (24, 25)]
DRAFT = Draft("左侧基底节区见团片状高密度影，约 3.2×2.1 cm。\n中线结构居中。", "左侧基底节区脑出血，䶮㛃复核。", Kind.DIAGNOSIS)
CRITICAL = replace(DRAFT, critical=True)
SR, PDF = "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.104.1"
#: What dcmtk says of every object in UTF-8: it cannot count the characters of a value.
NOT_CHECKED = "W: The VR checker does not support this Specific Character Set: ISO_IR 192\n"


def printed_by(*command: object) -> str:
    """What a program prints that has nothing to complain of."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert done.stderr.replace(NOT_CHECKED, "") == ""
    return done.stdout


@dataclass
class Desk:
    """Where one study is reported."""

    database: Database
    chronicle: Chronicle
    clock: StandingClock
    archive: Archive
    authority: Authority
    documents: Documents
    county: County
    stored: list[Stored]
    position: int = 0

    def objects(self, report: Report) -> dict[str, Path]:
        """The files of a version's DICOM objects, by SOP class."""
        with self.database.reading() as db:
            kept = [index.instance(db, self.county.clinic, uid) for uid in objects_of(db, report.id)]
        return {one.sop_class_uid: self.archive.blobs.path(one.digest) for one in kept}

    def document(self, report: Report) -> bytes:
        """The PDF as it was signed."""
        with self.database.reading() as db:
            return db.scalars(select(document_table.c.content).where(document_table.c.report_id == report.id)).one()

    @property
    def study(self) -> str:
        return self.stored[0].study_instance_uid

    def sign(self, draft: Draft) -> Report:
        reader = self.county.radiologist
        task_id = a_task(self.database, self.chronicle, self.county.nurse, self.study)
        self.clock.pass_(minutes=3)
        with self.database.transaction() as db:
            claim(db, self.chronicle, task_id, by=reader)
            save_draft(db, self.chronicle, task_id, draft, 0, by=reader)
        return sign_task(self.database, self.chronicle, task_id, partial(self.documents.make, by=reader), by=reader)

    def amend(self, report: Report, draft: Draft, reason: str) -> Report:
        reader = self.county.radiologist
        self.clock.pass_(minutes=10)
        make = partial(self.documents.make, by=reader)
        return amend_report(self.database, self.chronicle, report.id, draft, reason, make, by=reader)

    def append(self, report: Report, text: str, by: Viewer | None = None) -> Report:
        reader = by or self.county.radiologist
        self.clock.pass_(minutes=10)
        make = partial(self.documents.make, by=reader)
        return append_to_report(self.database, self.chronicle, report.id, text, make, by=reader)

    def cancel(self, report: Report, cause: Withdrawal, reason: str = "") -> Report:
        reader = self.county.radiologist
        self.clock.pass_(minutes=10)
        make = partial(self.documents.make, by=reader)
        return cancel_report(self.database, self.chronicle, report.id, cause, reason, make, by=reader)

    def read_back(self, report: Report, words: str) -> None:
        self.clock.pass_(minutes=1)
        with self.database.transaction() as db:
            read_back(db, self.chronicle, report.id, words=words, by=self.county.nurse)

    def return_reports(self, *, is_interrupted: bool = False) -> None:
        """Let the worker answer what it has not answered yet; *is_interrupted*: it dies before it can write that down."""
        worker = Returning(self.database, self.chronicle, self.archive)
        for event in self.chronicle.events.after(self.position, types=worker.TYPES, limit=100):
            write = worker.prepare(event)
            if write is not None and not is_interrupted:
                with self.database.transaction() as db:
                    write(db)
            self.position = event.position


@contextmanager
def a_desk(database: Database, chronicle: Chronicle, folder: Path, files: list[Path]) -> Iterator[Desk]:
    """Store *files*, of one study, as the clinic's, and open a desk for it."""
    archive, authority = Archive(database, chronicle, Blobs(folder / "blobs")), Authority(folder / "authority")
    county = a_county(database, chronicle)
    stored = [
        archive.store(file.read_bytes(), institution=county.clinic, transfer_syntax_uid=None, source="TEST") for file in files
    ]
    confinement = Confinement(processes=1, seconds=60)
    imaging = Imaging(confinement, shelf=Shelf(folder / "cache", 1 << 30))
    documents = Documents(database, archive, imaging, confinement, authority=authority, fonts=FONTS)
    try:
        yield Desk(database, chronicle, chronicle.clock, archive, authority, documents, county, stored)
    finally:
        confinement.close()
