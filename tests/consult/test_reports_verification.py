"""`telemed verify` over signed reports: one flipped byte of PDF, content or shown image is named, and which it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, update
from support.builders import County, a_county, a_task

import sample_data
from consult.queue.actions import claim
from consult.reports.actions import amend_report, save_draft, sign_task
from consult.reports.document.authority import Authority
from consult.reports.document.documents import Documents
from consult.reports.model import Draft, KeyImage, Report, listing, sealed
from consult.reports.tables import document_table, report_table
from consult.reports.verification import differences
from consult.requests.model import Kind
from dicom_node.archive.archive import Archive
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.tables import instance_table
from dicom_node.archive.verification import differences as archive_differences
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.audit import Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database

FONTS = Path(__file__).parents[2] / "web" / "static" / "fonts"
SLICES = [sample_data.FILES / "studies" / "ct-head" / f"{number:03}.dcm" for number in (24, 25)]
DRAFT = Draft("左侧基底节区见团片状高密度影。", "左侧基底节区脑出血。", Kind.DIAGNOSIS)


@dataclass
class Kept:
    """One signed report over two stored slices, and the proof of it."""

    database: Database
    chronicle: Chronicle
    blobs: Blobs
    authority: Authority
    documents: Documents
    county: County
    images: tuple[str, ...]
    report: Report

    def named(self) -> list[str]:
        damaged: set[str] = set()
        list(archive_differences(self.database, self.blobs, damaged))
        return list(differences(self.database, self.authority, damaged))

    def change(self, table, **values) -> None:
        with self.database.transaction() as db:
            db.execute(update(table).values(**values))

    def kept(self, column):
        with self.database.reading() as db:
            return db.scalars(select(column)).first()


@pytest.fixture
def kept(database, chronicle, clock, tmp_path) -> Iterator[Kept]:
    blobs, authority = Blobs(tmp_path / "blobs"), Authority(tmp_path / "authority")
    archive, county = Archive(database, chronicle, blobs), a_county(database, chronicle)
    stored = [
        archive.store(file.read_bytes(), institution=county.clinic, transfer_syntax_uid=None, source="TEST") for file in SLICES
    ]
    task_id = a_task(database, chronicle, county.nurse, stored[0].study_instance_uid)
    clock.pass_(minutes=3)
    reader, images = county.radiologist, tuple(one.sop_instance_uid for one in stored)
    with database.transaction() as db:
        claim(db, chronicle, task_id, by=reader)
        draft = Draft(DRAFT.findings, DRAFT.impression, DRAFT.kind, key_images=(KeyImage(images[1]),))
        save_draft(db, chronicle, task_id, draft, 0, by=reader)
    confinement = Confinement(processes=1, seconds=60)
    imaging = Imaging(confinement, shelf=Shelf(tmp_path / "cache", 1 << 30))
    documents = Documents(database, archive, imaging, confinement, authority=authority, fonts=FONTS)
    report = sign_task(database, chronicle, task_id, partial(documents.make, by=reader), by=reader)
    yield Kept(database, chronicle, blobs, authority, documents, county, images, report)
    confinement.close()


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_a_flipped_byte_is_named_with_the_report_and_what_of_it(kept):
    assert kept.named() == []

    pdf = kept.kept(document_table.c.content)
    kept.change(document_table, content=flipped(pdf))
    (said,) = kept.named()
    assert kept.report.id in said
    assert "PDF" in said
    assert "bytes have changed" in said
    kept.change(document_table, content=pdf)

    kept.change(report_table, impression="左侧基底节区脑出血?")
    (said,) = kept.named()
    assert said.startswith(f"the content of report {kept.report.id}")
    kept.change(report_table, impression=DRAFT.impression)

    for uid in kept.images:  # the key image, and the one that was only looked at
        with kept.database.reading() as db:
            digest = db.scalars(select(instance_table.c.digest).where(instance_table.c.sop_instance_uid == uid)).one()
        file = kept.blobs.path(digest)
        content = file.read_bytes()
        file.chmod(0o600)
        file.write_bytes(flipped(content))
        (said,) = kept.named()
        assert said.startswith(f"the image {uid} that report {kept.report.id}")
        file.unlink()
        (said,) = kept.named()
        assert said.startswith(f"the image {uid} that report {kept.report.id}")
        file.write_bytes(content)
    assert kept.named() == []


def test_who_changes_the_digests_too_is_named_all_the_same(kept):
    pdf = kept.kept(document_table.c.content)
    kept.change(document_table, content=flipped(pdf), sha256=_sha256(flipped(pdf)))
    (said,) = kept.named()
    assert "signature" in said
    kept.change(document_table, content=pdf, sha256=_sha256(pdf))

    kept.change(report_table, content_sha256="00" * 32)
    assert [said.split(" ")[1] for said in kept.named()] == ["content", "PDF"]
    kept.change(report_table, content_sha256=kept.report.content_sha256)

    images = kept.kept(document_table.c.images)
    kept.change(document_table, images=listing({kept.images[0]: "00" * 32}))
    (said,) = kept.named()
    assert said.startswith("the list of images")
    kept.change(document_table, images=images)
    kept.change(instance_table, digest="00" * 32)
    assert len([said for said in kept.named() if "no longer the one that is kept" in said]) == 2


def test_an_authority_that_is_lost_is_named(kept, tmp_path):
    (tmp_path / "authority" / "authority.pem").unlink()
    (said,) = kept.named()
    assert "authority" in said


def test_an_amendment_is_signed_over_the_images_of_its_own_day(kept):
    reader = kept.county.radiologist
    make = partial(kept.documents.make, by=reader)
    amended = amend_report(kept.database, kept.chronicle, kept.report.id, DRAFT, "补充测量", make, by=reader)
    assert amended.images_sha256 == kept.report.images_sha256
    assert kept.named() == []


def test_a_report_older_than_the_signatures_is_still_proved_by_its_digests(kept):
    old = sealed(replace(kept.report, images_sha256=""))
    kept.change(report_table, images_sha256=None, content_sha256=old.content_sha256)
    kept.change(document_table, images=None, content=b"%PDF-1.4", sha256=_sha256(b"%PDF-1.4"))
    assert kept.named() == []
    kept.change(document_table, content=b"%PDF-1.5")
    assert len(kept.named()) == 1


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
