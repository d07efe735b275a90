"""The delivery slip: T0 to T6 on a page of its own, which names the signed document by its SHA-256."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import HRFlowable, Paragraph, SimpleDocTemplate, Spacer

from consult.reports.document.content import Ledger
from consult.reports.document.fonts import typesetting
from consult.reports.document.ledger import ledger_table, target
from consult.reports.document.style import ACCENT, MARGIN, PARAGRAPHS
from consult.reports.document.wording import TITLES, plain
from consult.reports.model import ReadBack, Report


def write_slip(signed: bytes, report: Report, ledger: Ledger, fonts: Path) -> bytes:
    """Return the page that says when the report whose document is *signed* was delivered and read."""
    sheet = io.BytesIO()
    document = SimpleDocTemplate(sheet, pagesize=A4, invariant=1, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=20 * mm)
    zh, en = TITLES[report.kind]
    patient = f"　患者 Patient: {plain(report.patient.name)} {plain(report.patient.patient_id)}"
    reader = f"　阅读人 Read by: {plain(report.read_by.name)}" if report.read_by else ""
    digest = hashlib.sha256(signed).hexdigest()
    story = [
        Paragraph(plain(report.performer.name), PARAGRAPHS["hospital"]),
        Spacer(0, 1 * mm),
        Paragraph("送达回执", PARAGRAPHS["title"]),
        Paragraph("Delivery slip", PARAGRAPHS["caption"]),
        Spacer(0, 2 * mm),
        HRFlowable(width="100%", thickness=1.2, color=ACCENT, spaceAfter=3 * mm),
        Paragraph(f"{zh} {en}　报告号 Report: {report.id}　版本 Version: {report.version}", PARAGRAPHS["small"]),
        Paragraph(f"收件机构 Delivered to: {plain(report.institution.name)}{patient}{reader}", PARAGRAPHS["small"]),
        *([Paragraph(_repeated(report.read_back), PARAGRAPHS["small"])] if report.read_back else []),
        Spacer(0, 3 * mm),
        ledger_table(ledger, until=6, width=A4[0] - 2 * MARGIN),
        Spacer(0, 2 * mm),
        Paragraph(target(ledger), PARAGRAPHS["note"]),
        Spacer(0, 4 * mm),
        Paragraph(
            f"本页为送达记录；签发文件为单独的文件，共 {len(signed)} 字节，带电子签名。 "
            f"This page records the delivery; the signed document is a file of its own of {len(signed)} bytes.",
            PARAGRAPHS["note"],
        ),
        Spacer(0, 1 * mm),
        Paragraph(f"签发文件 SHA-256 of the signed document: {digest}", PARAGRAPHS["digest"]),
        Paragraph(f"内容摘要 SHA-256 of the signed content: {report.content_sha256}", PARAGRAPHS["digest"]),
    ]
    with typesetting(fonts):
        document.build(story)
    return sheet.getvalue()


def _repeated(said: ReadBack) -> str:
    return f"危急值复述 Critical value read back: {plain(said.words)}　{plain(said.by.name)}"
