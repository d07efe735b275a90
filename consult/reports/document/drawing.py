"""What is drawn rather than written: ECG strips on millimetre paper, and a key image that fits its frame."""

from __future__ import annotations

import io

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image

from consult.reports.document.content import Illustration
from consult.reports.document.fonts import BOLD, REGULAR
from consult.reports.document.style import INK, PAPER_BOLD, PAPER_FINE, SOFT
from ecg.rendering import Line, Sheet
from telemed.kernel.errors import Invalid

#: Below the paper: the line that says speed and gain.
LEGEND_MM = 5


class EcgSheet(Flowable):  # type: ignore[misc] # reportlab ships no types
    """A sheet in its true size: one millimetre of the sheet is one of the printed page, so a ruler may be laid on it."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet
        self.width = sheet.width_mm * mm
        self.height = (sheet.height_mm + LEGEND_MM) * mm

    def wrap(self, *_available: float) -> tuple[float, float]:
        """Return the fixed size."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw paper, traces, labels and legend."""
        canvas, sheet = self.canv, self._sheet
        canvas.saveState()
        canvas.translate(0, LEGEND_MM * mm)
        self._paper(canvas)
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(0.25 * mm)
        canvas.setLineJoin(1)
        canvas.setFillColor(INK)
        canvas.setFont(BOLD, 8)
        for line in sheet.pulses:
            self._line(canvas, line)
        for strip in sheet.strips:
            for line in strip.lines:
                self._line(canvas, line)
            left, down = strip.label_at
            canvas.drawString(left * mm, (sheet.height_mm - down) * mm, strip.label)
        canvas.setFont(REGULAR, 8)
        canvas.setFillColor(SOFT)
        canvas.drawString(0, -4 * mm, f"{sheet.caption}　按 100% 打印 print at 100 %")
        canvas.restoreState()

    def _line(self, canvas: Canvas, line: Line) -> None:
        if len(line) < 2:
            return
        path = canvas.beginPath()
        height = self._sheet.height_mm
        path.moveTo(line[0][0] * mm, (height - line[0][1]) * mm)
        for x, y in line[1:]:
            path.lineTo(x * mm, (height - y) * mm)
        canvas.drawPath(path)

    def _paper(self, canvas: Canvas) -> None:
        width, height = self._sheet.width_mm, self._sheet.height_mm
        for step, colour, thickness in ((1, PAPER_FINE, 0.08), (5, PAPER_BOLD, 0.18)):
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(thickness * mm)
            upright = [(x * mm, 0, x * mm, height * mm) for x in range(0, int(width) + 1, step)]
            level = [(0, (height - y) * mm, width * mm, (height - y) * mm) for y in range(0, int(height) + 1, step)]
            canvas.lines(upright + level)


def picture(illustration: Illustration, width: float, height: float) -> Image:
    """Return the key image as large as fits *width* by *height* points; raise Invalid when it is no readable image."""
    try:
        image = Image(io.BytesIO(illustration.jpeg), lazy=0)
    except (OSError, ValueError) as error:
        raise Invalid(f"a key image cannot be placed in the report: {error}", code="key-image-unreadable") from error
    scale = min(width / image.imageWidth, height / image.imageHeight)
    image.drawWidth, image.drawHeight = image.imageWidth * scale, image.imageHeight * scale
    return image
