"""The signed PDF of a version as an Encapsulated PDF (PS3.3 A.45.1): the very bytes, and how many of them."""

from __future__ import annotations

from consult.reports.document.composite import (
    ENCAPSULATED_PDF,
    Context,
    coded,
    header,
    referenced,
    title_of,
    written,
)
from consult.reports.document.wording import STATUSES, TITLES
from consult.reports.model import Report, ReportStatus


def encapsulate(report: Report, pdf: bytes, context: Context) -> bytes:
    """Return *pdf*, the signed document of *report*, as a Part 10 file."""
    made = header(report, context, ENCAPSULATED_PDF, modality="DOC", number=9002, description="Signed report (PDF)")
    made.ConversionType, made.BurnedInAnnotation, made.VerificationFlag = "WSD", "YES", "VERIFIED"
    made.AcquisitionDateTime = ""
    made.SourceInstanceSequence = [referenced(one.sop_class_uid, one.sop_instance_uid) for one in context.sources]
    withdrawn = [f"({STATUSES[report.status]})"] if report.status is ReportStatus.CANCELLED else []
    made.DocumentTitle = " ".join([*TITLES[report.kind], *withdrawn])
    made.ConceptNameCodeSequence = [coded(title_of(report))]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)  # a value has an even length (PS3.5 7.1.1)
    made.EncapsulatedDocumentLength = len(pdf)
    return written(made)
