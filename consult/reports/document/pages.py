"""The signed pages: who, what was seen, what it means, the pictures it rests on, who answers for it, and when."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from consult.reports.document.content import Attachments, Hints, Illustration, Ledger
from consult.reports.document.drawing import EcgSheet, picture
from consult.reports.document.fonts import BOLD, REGULAR, typesetting
from consult.reports.document.ledger import ledger_table, target
from consult.reports.document.style import ACCENT, ALARM, GRID, MARGIN, PARAGRAPHS, RULE, SOFT, TINT
from consult.reports.document.wording import (
    REPLACES,
    RESPONSIBILITY,
    SEXES,
    STATUSES,
    TITLES,
    age_of,
    earlier,
    heading_of,
    local,
    plain,
    reason_of,
)
from consult.reports.model import REPLACING, REVISED, Report, ReportStatus

WIDTH = A4[0] - 2 * MARGIN
FOOT = 16 * mm
#: Ten seconds at 25 mm/s, the pulse and the paper's own margin just fit beside it.
SIDE = 12 * mm


def write(report: Report, attachments: Attachments, ledger: Ledger, fonts: Path) -> bytes:
    """Return the PDF of *report*: the same arguments give the same bytes (same reportlab, same font).

    *ledger* is printed up to T4: T5 and T6 belong to the delivery slip. A preliminary and a cancelled report carry a
    watermark, and what a cancelled one said is struck through.
    """
    sheet = io.BytesIO()
    title = " ".join(TITLES[report.kind])
    document = BaseDocTemplate(
        sheet,
        pagesize=A4,
        invariant=1,
        pageCompression=1,
        title=f"{title} {report.id}",
        author=report.performer.name,
        subject=f"{report.id} v{report.version}",
        creator="telemed",
        lang="zh-CN",
    )
    document.addPageTemplates(
        [
            PageTemplate("upright", [Frame(MARGIN, FOOT + 4 * mm, WIDTH, A4[1] - FOOT - 18 * mm, 0, 0, 0, 0)], pagesize=A4),
            PageTemplate(
                "wide",
                [Frame(SIDE, FOOT + 4 * mm, A4[1] - 2 * SIDE, A4[0] - FOOT - 18 * mm, 0, 0, 0, 0)],
                pagesize=landscape(A4),
            ),
        ]
    )

    class Numbered(_Numbered):
        printed = report

    with typesetting(fonts):
        document.build(_story(report, attachments, ledger), canvasmaker=Numbered)
    return sheet.getvalue()


def _story(report: Report, attachments: Attachments, ledger: Ledger) -> list[Flowable]:
    story = [*_head(report), *_text(report)]
    if attachments.hints is not None:
        story += _hints(attachments.hints)
    story += _pictures(attachments.illustrations)
    story += _signature(report, ledger)
    for sheet in attachments.sheets:
        story += [NextPageTemplate("wide"), PageBreak(), _section("心电图", "Electrocardiogram"), EcgSheet(sheet)]
    return story


def _section(zh: str, en: str) -> Paragraph:
    return Paragraph(f'{zh} <font name="{REGULAR}" size="8" color="#5b6470">{en}</font>', PARAGRAPHS["section"])


def _head(report: Report) -> list[Flowable]:
    zh, en = TITLES[report.kind]
    english = report.performer.name_en if report.performer.name_en != report.performer.name else ""
    story: list[Flowable] = [
        Paragraph(plain(report.performer.name), PARAGRAPHS["hospital"]),
        Paragraph(plain(english), PARAGRAPHS["caption"]),
        Spacer(0, 2 * mm),
        Paragraph(zh, PARAGRAPHS["title"]),
        Paragraph(en, PARAGRAPHS["caption"]),
        Spacer(0, 1.5 * mm),
        HRFlowable(width="100%", thickness=1.2, color=ACCENT, spaceAfter=2 * mm),
    ]
    if report.critical:
        story.append(
            _boxed(
                "危急值 CRITICAL VALUE　请立即通知经治医师并复述确认 Tell the physician in charge at once; read back.", "alarm"
            )
        )
    if report.amends:
        story.append(_boxed(_replacing(report), "alarm" if report.status is ReportStatus.CANCELLED else "small-strong"))
    story.append(_identity(report))
    return story


def _replacing(report: Report) -> str:
    begun = REPLACES[report.status]
    if report.status in REPLACING:
        begun += f"{f' {report.version}' if report.status in REVISED else ''}　替代 Replaces"
    why = reason_of(report)
    return f"{begun}: {report.amends}" + (f"　原因 Reason: {plain(why)}" if why else "")


def _boxed(markup: str, style: str) -> Table:
    colour = ALARM if style == "alarm" else SOFT
    box = Table([[Paragraph(markup, PARAGRAPHS[style])]], colWidths=[WIDTH], spaceAfter=2 * mm)
    box.setStyle([("BOX", (0, 0), (-1, -1), 1, colour), ("BOTTOMPADDING", (0, 0), (-1, -1), 4)])
    return box


def _identity(report: Report) -> Table:
    patient = report.patient
    modalities = " / ".join(report.modalities)
    named = report.study_description if report.study_description != modalities else ""
    study = " ".join(part for part in (modalities, named) if part) or "—"
    cells = (
        (("姓名", "Name", patient.name), ("性别", "Sex", SEXES.get(patient.sex, "—")), ("年龄", "Age", age_of(report))),
        (
            ("病人号", "Patient ID", patient.patient_id),
            ("出生日期", "Born", str(patient.birth_date or "—")),
            ("状态", "Status", f"{STATUSES[report.status]}　v{report.version}"),
        ),
        (
            ("检查", "Study", study),
            ("检查时间", "Study time", local(report.study_at)),
            ("申请机构", "Referred by", report.institution.name),
        ),
    )
    rows = [[_cell(*cell) for cell in row] for row in cells]
    table = Table(rows, colWidths=[WIDTH * 0.38, WIDTH * 0.28, WIDTH * 0.34], spaceAfter=1 * mm)
    table.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), TINT),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -2), 0.4, RULE),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
        ]
    )
    return table


def _cell(zh: str, en: str, value: str) -> Paragraph:
    label = f'<font size="7.5" color="#5b6470">{zh} {en}</font>'
    return Paragraph(f'{label}<br/><font name="{BOLD}" size="10">{plain(value)}</font>', PARAGRAPHS["small"])


def _text(report: Report) -> list[Flowable]:
    struck = report.status is ReportStatus.CANCELLED
    story: list[Flowable] = [_section("检查所见", "Findings")]
    story += _lines(report.findings, "body", struck=struck)
    story.append(_section("会诊意见" if report.kind == "consultation" else "诊断意见", "Impression"))
    story += _lines(report.impression, "impression", struck=struck)
    for number, addendum in enumerate(report.addenda, 1):
        story.append(_section("补充报告", "Addendum"))
        story.append(Paragraph(plain(heading_of(number, addendum)), PARAGRAPHS["note"]))
        story += _lines(addendum.text, "body", struck=struck)
    return story


def _lines(text: str, style: str, *, struck: bool) -> list[Flowable]:
    """One paragraph a line: each may break across pages, and an empty line keeps its height."""
    lines = [plain(line) or "&nbsp;" for line in text.strip("\n").split("\n")]
    return [Paragraph(f"<strike>{line}</strike>" if struck else line, PARAGRAPHS[style]) for line in lines]


def _hints(hints: Hints) -> list[Flowable]:
    small = PARAGRAPHS["small"]
    story: list[Flowable] = [_section("自动测量 · 提示，非诊断", "Automatic measurements: hints, not a diagnosis")]
    if hints.measurements:
        pairs = [Paragraph(f"{plain(name)}　<b>{plain(value)}</b>", small) for name, value in hints.measurements]
        rows: list[list[Any]] = [pairs[i : i + 3] for i in range(0, len(pairs), 3)]
        rows[-1] += [""] * (3 - len(rows[-1]))
        story.append(Table(rows, colWidths=[WIDTH / 3] * 3, style=GRID))
    story += [Paragraph(f"· {plain(statement)}", PARAGRAPHS["note"]) for statement in hints.statements]
    return story


def _pictures(illustrations: Sequence[Illustration]) -> list[Flowable]:
    if not illustrations:
        return []
    alone = len(illustrations) == 1
    columns, width, height = (1, WIDTH * 0.6, 62 * mm) if alone else (2, WIDTH / 2 - 4 * mm, 70 * mm)
    cells = [[picture(shown, width, height), Paragraph(plain(shown.caption), PARAGRAPHS["caption"])] for shown in illustrations]
    rows: list[list[Any]] = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    rows[-1] += [""] * (columns - len(rows[-1]))
    table = Table(rows, colWidths=[WIDTH / columns] * columns)
    table.setStyle([("ALIGN", (0, 0), (-1, -1), "CENTER"), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    heading = _section("关键图像", "Key images")
    return [KeepTogether([heading, table])] if len(rows) == 1 else [heading, table]


#: Who signs a version whose text is not the signer's own.
_SIGNERS = {ReportStatus.APPENDED: "补充医师", ReportStatus.CANCELLED: "作废医师"}


def _signature(report: Report, ledger: Ledger) -> list[Flowable]:
    signer = _SIGNERS.get(report.status) or ("会诊医师" if report.kind == "consultation" else "报告医师")
    signature = Table(
        [
            [
                _cell("受邀医院", "Invited hospital", report.performer.name),
                _cell(signer, "Signed electronically by", report.signed_by.name),
                _cell("签发时间", "Signed at (UTC+8)", local(report.signed_at)),
            ]
        ],
        colWidths=[WIDTH * 0.38, WIDTH * 0.28, WIDTH * 0.34],
    )
    signature.setStyle([("LINEABOVE", (0, 0), (-1, 0), 1, ACCENT), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return [
        Spacer(0, 4 * mm),
        KeepTogether(
            [
                signature,
                *(Paragraph(words, PARAGRAPHS["note"]) for words in _before(report)),
                Paragraph(RESPONSIBILITY[report.kind], PARAGRAPHS["note"]),
                Spacer(0, 2 * mm),
                ledger_table(ledger, until=4, width=WIDTH),
                Spacer(0, 1 * mm),
                Paragraph(target(ledger), PARAGRAPHS["note"]),
            ]
        ),
    ]


def _before(report: Report) -> list[str]:
    """Say who has read the study, and signed the text, before the one who signs this version."""
    text = report.text_signed
    signed = [] if text is None else [f"正文签发 Text signed by: {plain(text.by.name)}　{local(text.at)}"]
    return [*(plain(earlier(one)) for one in report.readings), *signed]


#: The watermark of what must not be taken for the report that holds.
_ACROSS = {ReportStatus.PRELIMINARY: "初步", ReportStatus.CANCELLED: "作废"}


class _Numbered(Canvas):  # type: ignore[misc] # reportlab ships no types
    """Holds every page back until their number is known, then prints foot and watermark on each."""

    printed: Report

    def __init__(self, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401 - reportlab hands them through
        super().__init__(*arguments, **keywords)
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        """Keep the page for later."""
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Print every page with its foot."""
        for number, page in enumerate(self._held, 1):
            self.__dict__.update(page)
            self._foot(number, len(self._held))
            super().showPage()
        super().save()

    def _foot(self, number: int, count: int) -> None:
        report, width = self.printed, self._pagesize[0]
        self.saveState()
        if report.status in _ACROSS:
            self.setFont(BOLD, 120)
            self.setFillColorRGB(0.7, 0.1, 0.1, alpha=0.10)
            self.translate(width / 2, self._pagesize[1] / 2)
            self.rotate(45)
            self.drawCentredString(0, -40, _ACROSS[report.status])
            self.rotate(-45)
            self.translate(-width / 2, -self._pagesize[1] / 2)
        self.setStrokeColor(RULE)
        self.setLineWidth(0.5)
        self.line(MARGIN, FOOT, width - MARGIN, FOOT)
        self.setFillColor(SOFT)
        self.setFont(REGULAR, 7)
        self.drawString(MARGIN, FOOT - 9, f"报告号 Report {report.id}　版本 Version {report.version}")
        self.drawString(MARGIN, FOOT - 18, f"内容摘要 SHA-256 {report.content_sha256 or '—'}")
        self.drawRightString(width - MARGIN, FOOT - 9, f"第 {number} 页 / 共 {count} 页")
        self.drawRightString(width - MARGIN, FOOT - 18, f"{report.patient.name}　{report.patient.patient_id}"[:80])
        self.restoreState()
