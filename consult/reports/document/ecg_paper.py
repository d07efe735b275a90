"""An ECG on paper as a document of its own: the sheets of `ecg.rendering`, one to a page, in their true size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from consult.reports.document.drawing import draw_sheet
from consult.reports.document.fonts import typesetting
from ecg.rendering import Sheet


def write_ecg(sheets: Sequence[Sheet], fonts: Path) -> bytes:
    """Return the PDF of *sheets*; the same sheets give the same bytes. Viewers are asked not to scale it when printing."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1, pageCompression=1, lang="zh-CN")
    canvas.setTitle("心电图 Electrocardiogram")
    canvas.setCreator("telemed")
    canvas.setViewerPreference("PrintScaling", "None")
    with typesetting(fonts):
        for sheet in sheets:
            canvas.setPageSize((sheet.width_mm * mm, sheet.height_mm * mm))
            draw_sheet(canvas, sheet)
            canvas.showPage()
        canvas.save()
    return out.getvalue()
