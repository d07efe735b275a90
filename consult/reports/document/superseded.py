"""What comes out of the printer of a version that was replaced: the signed pages under a mark that says so.

It is a copy without the signature, whose file stays as it is: nothing may be added behind that (see `signature`).
"""

from __future__ import annotations

import io
from pathlib import Path

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from consult.reports.document.fonts import BOLD, typesetting
from consult.reports.document.style import ALARM
from consult.reports.document.wording import SUPERSEDED, local
from consult.reports.model import Report


def write_superseded(signed: bytes, newest: Report, fonts: Path) -> bytes:
    """Return the pages of the *signed* document of an earlier version, each marked as replaced by *newest*."""
    from pyhanko.pdf_utils.generic import DictionaryObject, StreamObject, pdf_name  # noqa: PLC0415 - half a second of imports
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415 - see above
    from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter  # noqa: PLC0415 - see above

    pages, out = PdfFileReader(io.BytesIO(signed)), PdfFileWriter()
    for number in range(int(pages.root["/Pages"]["/Count"])):
        page = out.import_page_as_xobject(pages, number)
        left, bottom, right, top = (float(edge) for edge in page.get_object()["/BBox"])
        marked = PdfFileReader(io.BytesIO(_mark(newest, right - left, top - bottom, fonts)))
        forms = DictionaryObject({pdf_name("/Page"): page, pdf_name("/Mark"): out.import_page_as_xobject(marked)})
        drawn = out.add_object(StreamObject(stream_data=b"q /Page Do Q q /Mark Do Q"))
        out.insert_page(PageObject(drawn, (left, bottom, right, top), DictionaryObject({pdf_name("/XObject"): forms})))
    copy = io.BytesIO()
    out.write(copy)
    return copy.getvalue()


def _mark(newest: Report, width: float, height: float, fonts: Path) -> bytes:
    """Return a page of these points with nothing but the mark on it."""
    sheet = io.BytesIO()
    canvas = Canvas(sheet, pagesize=(width, height), invariant=1)
    with typesetting(fonts):
        canvas.setFillColor(ALARM)
        canvas.setFont(BOLD, 8)
        large, small, head = SUPERSEDED[newest.status]
        by = f"第 {newest.version} 版 {local(newest.signed_at)} 替代本件 Replaced by {newest.id}"
        canvas.drawCentredString(width / 2, height - 9 * mm, f"{head}　{by}")
        canvas.translate(width / 2, height / 2)
        canvas.rotate(35)
        canvas.setFillAlpha(0.22)
        canvas.setFont(BOLD, 84)
        canvas.drawCentredString(0, 10, large)
        canvas.setFont(BOLD, 48)
        canvas.drawCentredString(0, -50, small)
        canvas.save()
    return sheet.getvalue()
