"""Median beats of two recordings one over the other, lead by lead: the previous in grey, the current in black, one scale."""

from xml.sax.saxutils import escape

import numpy as np

from ecg.comparison.average import AverageBeat
from ecg.leads import TWELVE
from ecg.recording import Millivolts

SPEED_MM_S, GAIN_MM_MV = 50.0, 10.0  # twice the usual speed: a median beat is to be looked at closely
ROOM_MM, MARGIN_MM, COLUMNS = 35.0, 4.0, 4
BEFORE_S, AFTER_S = 0.35, 0.60
HIGHEST_MV = 1.7  # above and below the zero line there is room for so much
PREVIOUS, CURRENT = ("#9a9a9a", 0.5), ("#000", 0.35)


def svg(previous: AverageBeat | None, current: AverageBeat | None) -> str:
    """Return every lead that either has as a self-contained SVG in millimetres, R peaks over each other."""
    has = {name for beat in (previous, current) if beat is not None for name in beat.leads}
    names = [lead.name for lead in TWELVE if lead.name in has] + sorted(has - {lead.name for lead in TWELVE})
    column_mm = (BEFORE_S + AFTER_S) * SPEED_MM_S + 3
    columns = min(COLUMNS, max(1, len(names)))
    width = 2 * MARGIN_MM + columns * column_mm
    height = 2 * MARGIN_MM + ROOM_MM * max(1, -(-len(names) // columns)) + 4
    size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="3">',
        f'<rect width="{width:g}" height="{height:g}" fill="#fffafa"/>',
        *(_grid(width, height, step, colour) for step, colour in ((1, "#f6dcdc"), (5, "#eeb4b4"))),
    ]
    for number, name in enumerate(names):
        left = MARGIN_MM + number % columns * column_mm
        zero = MARGIN_MM + ROOM_MM * (number // columns + 0.5)
        for beat, (colour, thick) in ((previous, PREVIOUS), (current, CURRENT)):
            if beat is not None and name in beat.leads:
                points = _points(beat.leads[name], beat, left + BEFORE_S * SPEED_MM_S, zero)
                body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{thick}"/>')
        body.append(f'<text x="{left + 0.5:g}" y="{zero - ROOM_MM / 2 + 4:g}">{escape(name)}</text>')
    body.append(f'<text x="{MARGIN_MM:g}" y="{height - 1.5:g}">{SPEED_MM_S:g} mm/s  {GAIN_MM_MV:g} mm/mV</text>')
    return "\n".join([*body, "</svg>"])


def _points(values: Millivolts, beat: AverageBeat, centre_mm: float, zero_mm: float) -> str:
    first, last = beat.before - round(BEFORE_S * beat.rate), beat.before + round(AFTER_S * beat.rate)
    places = np.arange(max(0, first), min(values.size, last + 1))
    x = centre_mm + (places - beat.before) / beat.rate * SPEED_MM_S
    y = zero_mm - np.clip(values[places], -HIGHEST_MV, HIGHEST_MV) * GAIN_MM_MV
    return " ".join(f"{at:.2f},{high:.2f}" for at, high in zip(x.tolist(), y.tolist(), strict=True))


def _grid(width: float, height: float, step: int, colour: str) -> str:
    upright = "".join(f"M{x} 0V{height:g}" for x in range(0, int(width) + 1, step))
    level = "".join(f"M0 {y}H{width:g}" for y in range(0, int(height) + 1, step))
    return f'<path d="{upright}{level}" stroke="{colour}" stroke-width="{0.1 if step == 1 else 0.2}" fill="none"/>'
