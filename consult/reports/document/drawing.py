"""What is drawn rather than written: ECG strips on millimetre paper, and a key image that fits its frame."""

from __future__ import annotations

import io

from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image

from consult.reports.document.content import Illustration
from consult.reports.document.fonts import BOLD, REGULAR
from ecg.rendering import Label, Line, Sheet
from ecg.rendering.ink import GRID, PAPER, TONES, TRACE_MM
from telemed.kernel.errors import Invalid


class EcgSheet(Flowable):  # type: ignore[misc] # reportlab ships no types
    """A sheet in its true size, as a part of a page."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet
        self.width = sheet.width_mm * mm
        self.height = sheet.height_mm * mm

    def wrap(self, *_available: float) -> tuple[float, float]:
        """Return the fixed size."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw it where the page has put it."""
        draw_sheet(self.canv, self._sheet)


def draw_sheet(canvas: Canvas, sheet: Sheet) -> None:
    """Draw *sheet* from the canvas' origin: one millimetre of it is one of the printed page, so a ruler may be laid on it."""
    canvas.saveState()
    canvas.setLineJoin(1)
    canvas.setLineCap(1)
    _grid(canvas, sheet)
    canvas.setStrokeColor(HexColor(TONES["ink"]))
    canvas.setLineWidth(TRACE_MM * mm)
    for line in (*sheet.pulses, *sheet.ticks, *(line for strip in sheet.strips for line in strip.lines)):
        _line(canvas, line, sheet.height_mm)
    for label in (*(strip.label for strip in sheet.strips), *sheet.labels):
        _label(canvas, label, sheet.height_mm)
    canvas.restoreState()


def _grid(canvas: Canvas, sheet: Sheet) -> None:
    grid = sheet.grid
    left, bottom = grid.left_mm, sheet.height_mm - grid.top_mm - grid.height_mm
    right, top = left + grid.width_mm, bottom + grid.height_mm
    canvas.setFillColor(HexColor(PAPER))
    canvas.rect(left * mm, bottom * mm, grid.width_mm * mm, grid.height_mm * mm, stroke=0, fill=1)
    for step, colour, thick in GRID:
        canvas.setStrokeColor(HexColor(colour))
        canvas.setLineWidth(thick * mm)
        upright = [((left + x) * mm, bottom * mm, (left + x) * mm, top * mm) for x in range(0, grid.width_mm + 1, step)]
        level = [(left * mm, (top - y) * mm, right * mm, (top - y) * mm) for y in range(0, grid.height_mm + 1, step)]
        canvas.lines(upright + level)


def _line(canvas: Canvas, line: Line, height_mm: float) -> None:
    path = canvas.beginPath()
    path.moveTo(line[0][0] * mm, (height_mm - line[0][1]) * mm)
    for x, y in line[1:]:
        path.lineTo(x * mm, (height_mm - y) * mm)
    canvas.drawPath(path)


def _label(canvas: Canvas, label: Label, height_mm: float) -> None:
    canvas.setFont(BOLD if label.bold else REGULAR, label.size_mm * mm)
    canvas.setFillColor(HexColor(TONES[label.tone]))
    place = canvas.drawRightString if label.ends else canvas.drawString
    place(label.x_mm * mm, (height_mm - label.y_mm) * mm, label.text)


def picture(illustration: Illustration, width: float, height: float) -> Image:
    """Return the key image as large as fits *width* by *height* points; raise Invalid when it is no readable image."""
    try:
        image = Image(io.BytesIO(illustration.jpeg), lazy=0)
    except (OSError, ValueError) as error:
        raise Invalid(f"a key image cannot be placed in the report: {error}", code="key-image-unreadable") from error
    scale = min(width / image.imageWidth, height / image.imageHeight)
    image.drawWidth, image.drawHeight = image.imageWidth * scale, image.imageHeight * scale
    return image
