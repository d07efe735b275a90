"""Proof that what was signed is still what is kept: the content, the signed PDF, every image, the objects it was returned in."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Sequence

from cryptography.x509 import Certificate
from sqlalchemy import select

from consult.reports.document.authority import Authority
from consult.reports.document.signature import fault_of
from consult.reports.model import Report, canonical
from consult.reports.tables import document_table, object_table, report_table
from consult.reports.views import of_record
from dicom_node.archive import index
from telemed.kernel.database import Database
from telemed.kernel.errors import NotFound


def differences(database: Database, authority: Authority, damaged: Container[str]) -> Iterator[str]:
    """Name every report that is no longer what was signed, and what of it; nothing when all is well.

    *damaged* has the digests whose file is missing or has changed: see `dicom_node.archive.verification`.
    """
    trusted = authority.trusted()
    with database.reading() as db:
        ids = db.scalars(select(report_table.c.id).order_by(report_table.c.signed_at, report_table.c.id)).all()
    for report_id in ids:  # a transaction each: a PDF may take long to check, and none is held while it does
        with database.reading() as db:
            report = of_record(db, report_id)
            kept = db.execute(select(document_table).where(document_table.c.report_id == report_id)).first()
            stored = index.digests_of(db, report.institution.id, report.study_instance_uid)
        named = f"report {report.id} of study {report.study_instance_uid}"
        if _sha256(canonical(report)) != report.content_sha256:
            yield f"the content of {named} has changed since it was signed"
        if kept is None:
            yield f"the PDF of {named} is missing"
            continue
        fault = _fault_of_pdf(report, kept.content, kept.sha256, trusted)
        if fault:
            yield f"the PDF of {named} is not what was signed: {fault}"
        yield from _differing_images(report, named, kept.images or "", stored, damaged)
        yield from _differing_objects(database, report, named, damaged)


def _differing_objects(database: Database, report: Report, named: str, damaged: Container[str]) -> Iterator[str]:
    """Name the objects in which the version was returned, where the archive does not keep them as they were made."""
    made = select(object_table.c.sop_instance_uid, object_table.c.digest).where(object_table.c.report_id == report.id)
    with database.reading() as db:
        for sop_instance_uid, digest in db.execute(made):
            try:
                kept = index.instance(db, report.institution.id, sop_instance_uid)
            except NotFound:
                yield f"the DICOM object {sop_instance_uid} of {named} is missing"
                continue
            if kept.digest != digest or digest in damaged:
                what = "Encapsulated PDF" if kept.kind == "document" else "structured report"
                yield f"the {what} {sop_instance_uid} of {named} has changed or is missing"


def _fault_of_pdf(report: Report, content: bytes, sha256: str, trusted: Sequence[Certificate]) -> str | None:
    if _sha256(content) != sha256:
        return "its bytes have changed"
    if not report.images_sha256:  # signed before there were signatures in the PDF
        return None
    if not trusted:
        return "the authority that certified it is lost, restore its keys from a backup"
    return fault_of(content, report.content_sha256, trusted, report.signed_at)


def _differing_images(report: Report, named: str, images: str, stored: dict[str, str], damaged: Container[str]) -> Iterator[str]:
    if report.images_sha256 and _sha256(images.encode()) != report.images_sha256:
        yield f"the list of images of {named} has changed since it was signed"
        return
    for line in images.splitlines():
        sop_instance_uid, digest = line.split(" ")
        if stored.get(sop_instance_uid) != digest:
            yield f"the image {sop_instance_uid} that {named} was signed over is no longer the one that is kept"
        elif digest in damaged:
            yield f"the image {sop_instance_uid} that {named} was signed over has changed or is missing"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
