"""A sheet as SVG whose unit is one millimetre, so that print is exact."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from ecg.rendering.heading import Label
from ecg.rendering.ink import GRID, PAPER, TONES, TRACE_MM
from ecg.rendering.sheet import Grid, Sheet

FONTS = "'Noto Sans SC','Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei','PingFang SC',sans-serif"


def svg(sheet: Sheet) -> str:
    """Return *sheet* as a self-contained document of its own size."""
    width, height, grid = sheet.width_mm, sheet.height_mm, sheet.grid
    size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
    corner = f'x="{grid.left_mm:g}" y="{grid.top_mm:g}" width="{grid.width_mm}" height="{grid.height_mm}"'
    lines = [*sheet.pulses, *sheet.ticks, *(line for strip in sheet.strips for line in strip.lines)]
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONTS}">',
        "<style>@page{size:A4 landscape;margin:0}</style>",
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        f'<rect {corner} fill="{PAPER}"/>',
        *(
            f'<path d="{_grid(grid, step)}" stroke="{colour}" stroke-width="{thick}" fill="none"/>'
            for step, colour, thick in GRID
        ),
        f'<g stroke="{TONES["ink"]}" stroke-width="{TRACE_MM}" stroke-linejoin="round" stroke-linecap="round" fill="none">',
        *(f'<polyline points="{_points(line)}"/>' for line in lines),
        "</g>",
        *(_text(label) for label in (*(strip.label for strip in sheet.strips), *sheet.labels)),
        "</svg>",
    ]
    return "\n".join(body)


def _grid(grid: Grid, step: int) -> str:
    left, top, right, bottom = grid.left_mm, grid.top_mm, grid.left_mm + grid.width_mm, grid.top_mm + grid.height_mm
    upright = "".join(f"M{left + x:g} {top:g}V{bottom:g}" for x in range(0, grid.width_mm + 1, step))
    return upright + "".join(f"M{left:g} {top + y:g}H{right:g}" for y in range(0, grid.height_mm + 1, step))


def _points(line: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in line)


def _text(label: Label) -> str:
    manner = ' font-weight="700"' if label.bold else ""
    anchor = ' text-anchor="end"' if label.ends else ""
    place = f'x="{label.x_mm:g}" y="{label.y_mm:g}" font-size="{label.size_mm:g}" fill="{TONES[label.tone]}"'
    return f"<text {place}{manner}{anchor}>{escape(label.text)}</text>"
