"""Measures, colours and paragraph styles of the document."""

from __future__ import annotations

from collections.abc import Mapping

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import TableStyle

from consult.reports.document.fonts import BOLD, REGULAR

MARGIN = 18 * mm
INK = HexColor("#1b1f24")
SOFT = HexColor("#5b6470")
RULE = HexColor("#b9c1cb")
TINT = HexColor("#f2f5f8")
ACCENT = HexColor("#0b5c8f")
ALARM = HexColor("#b3161d")

_BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=10.5, leading=17, textColor=INK, wordWrap="CJK")


def _style(name: str, **changes: object) -> ParagraphStyle:
    return ParagraphStyle(name, parent=_BODY, **changes)


PARAGRAPHS: Mapping[str, ParagraphStyle] = {
    "body": _BODY,
    "hospital": _style("hospital", fontName=BOLD, fontSize=17, leading=23, alignment=TA_CENTER),
    "title": _style("title", fontName=BOLD, fontSize=14, leading=20, alignment=TA_CENTER, textColor=ACCENT),
    "caption": _style("caption", fontSize=8, leading=11, alignment=TA_CENTER, textColor=SOFT),
    "section": _style("section", fontName=BOLD, fontSize=11.5, leading=16, textColor=ACCENT, spaceBefore=8, spaceAfter=3),
    "impression": _style("impression", fontName=BOLD, fontSize=11, leading=18),
    "small": _style("small", fontSize=8.5, leading=12),
    "small-strong": _style("small-strong", fontName=BOLD, fontSize=8.5, leading=12),
    "note": _style("note", fontSize=8.5, leading=12.5, textColor=SOFT),
    "alarm": _style("alarm", fontName=BOLD, fontSize=11, leading=16, textColor=ALARM),
    "digest": _style("digest", fontSize=7.5, leading=10.5, textColor=SOFT),
}

GRID = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        ("LINEABOVE", (0, 0), (-1, 0), 0.8, SOFT),
        ("BACKGROUND", (0, 0), (-1, 0), TINT),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
)
