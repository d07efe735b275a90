"""ECG on calibrated paper: lines in millimetres, drawn as SVG here and by whoever prints a PDF."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from ecg.errors import EcgError
from ecg.recording import Millivolts, Recording

Point = tuple[float, float]
Line = tuple[Point, ...]

#: Rows of columns; a row with one column runs through the whole sheet.
LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "3x4+1R": (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"), ("II",)),
    "6x2": (("I", "V1"), ("II", "V2"), ("III", "V3"), ("aVR", "V4"), ("aVL", "V5"), ("aVF", "V6")),
    "12x1": tuple((name,) for name in ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")),
}

SHEET_SECONDS = 10.0
MARGIN_MM = 5.0
PULSE_MM = 10.0  # the width kept for the calibration pulse: 1 mV for 0.2 s at 25 mm/s
ROW_MM = {"3x4+1R": 30.0, "6x2": 25.0, "12x1": 20.0}
DRAWN_HZ = 500.0  # finer than any printer at 25 mm/s


@dataclass(frozen=True)
class Strip:
    """One lead's stretch: its label, where the label stands (baseline, left), and its lines, broken where samples miss."""

    label: str
    label_at: Point
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Sheet:
    """A page of paper in millimetres; y grows downwards. Grid lines stand at every whole millimetre, the bold at every fifth."""

    width_mm: float
    height_mm: float
    strips: tuple[Strip, ...]
    pulses: tuple[Line, ...]
    caption: str


def sheet(
    recording: Recording, *, layout: str = "3x4+1R", speed_mm_s: float = 25, gain_mm_mv: float = 10, start_s: float = 0.0
) -> Sheet:
    """Return ten seconds of *recording* from *start_s* as lines in millimetres.

    A lead that was not recorded leaves its place empty with its label; a recording without any of the layout's leads is drawn
    one lead to a row. `EcgError` for an unknown layout, speed or gain.
    """
    if layout not in LAYOUTS or not 5 <= speed_mm_s <= 200 or not 1 <= gain_mm_mv <= 100:
        raise EcgError(f"The layout must be one of {', '.join(LAYOUTS)}, the speed 5-200 mm/s and the gain 1-100 mm/mV.")
    rows = LAYOUTS[layout]
    if not any(name in recording.rows for row in rows for name in row):
        rows = tuple((name,) for name in recording.names)
    row_mm = ROW_MM[layout] * max(gain_mm_mv / 10, 0.5)
    run_mm = SHEET_SECONDS * speed_mm_s
    strips: list[Strip] = []
    pulses: list[Line] = []
    for number, row in enumerate(rows):
        zero_mm = MARGIN_MM + row_mm * (number + 0.5)
        pulses.append(_pulse(zero_mm, speed_mm_s, gain_mm_mv))
        seconds = SHEET_SECONDS / len(row)
        for column, name in enumerate(row):
            left_mm = MARGIN_MM + PULSE_MM + run_mm * column / len(row)
            samples = _stretch(recording, name, start_s + column * seconds, seconds)
            lines = _lines(samples, recording.sampling_frequency_hz, (left_mm, zero_mm), speed_mm_s, gain_mm_mv)
            strips.append(Strip(name, (left_mm + 1, zero_mm - row_mm * 0.3), lines))
    return Sheet(
        width_mm=2 * MARGIN_MM + PULSE_MM + run_mm,
        height_mm=2 * MARGIN_MM + row_mm * len(rows),
        strips=tuple(strips),
        pulses=tuple(pulses),
        caption=f"{speed_mm_s:g} mm/s  {gain_mm_mv:g} mm/mV",
    )


def _stretch(recording: Recording, name: str, start_s: float, seconds: float) -> Millivolts:
    samples = recording.lead(name)
    if samples is None:
        return np.empty(0)
    rate = recording.sampling_frequency_hz
    first = round(start_s * rate)
    return samples[first : first + round(seconds * rate)]


def _pulse(zero_mm: float, speed_mm_s: float, gain_mm_mv: float) -> Line:
    """One millivolt for 0.2 s."""
    start, width = MARGIN_MM + 1, min(0.2 * speed_mm_s, PULSE_MM - 3)
    top = zero_mm - gain_mm_mv
    return ((start, zero_mm), (start + 1, zero_mm), (start + 1, top), (start + 1 + width, top), (start + 1 + width, zero_mm))


def _lines(samples: Millivolts, rate: float, origin: Point, speed_mm_s: float, gain_mm_mv: float) -> tuple[Line, ...]:
    """Return the samples as lines from *origin*, the strip's own median on the zero line, broken where samples miss."""
    step = max(1, round(rate / DRAWN_HZ))
    values = np.clip(samples[::step], -1e6, 1e6)
    finite = np.isfinite(samples[::step])
    if not finite.any():
        return ()
    x = np.round(origin[0] + np.arange(values.size) * (step / rate * speed_mm_s), 2)
    shifted = np.where(finite, values, 0.0) - np.median(values[finite])
    y = np.round(origin[1] - np.clip(shifted, -20, 20) * gain_mm_mv, 2)
    breaks = np.flatnonzero(np.diff(finite.astype(np.int8))) + 1
    pieces = np.split(np.arange(values.size), breaks)
    return tuple(tuple(zip(x[piece].tolist(), y[piece].tolist(), strict=True)) for piece in pieces if finite[piece[0]])


def svg(
    recording: Recording, *, layout: str = "3x4+1R", speed_mm_s: float = 25, gain_mm_mv: float = 10, start_s: float = 0.0
) -> str:
    """Return the sheet as a self-contained SVG whose unit is one millimetre, so that print is exact."""
    page = sheet(recording, layout=layout, speed_mm_s=speed_mm_s, gain_mm_mv=gain_mm_mv, start_s=start_s)
    width, height = page.width_mm, page.height_mm
    size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="3.2">',
        f'<rect width="{width:g}" height="{height:g}" fill="#fffafa"/>',
        f'<path d="{_grid(width, height, 1)}" stroke="#f6cfcf" stroke-width="0.1" fill="none"/>',
        f'<path d="{_grid(width, height, 5)}" stroke="#e9a0a0" stroke-width="0.2" fill="none"/>',
        '<g stroke="#111" stroke-width="0.25" stroke-linejoin="round" fill="none">',
        *(f'<polyline points="{_points(line)}"/>' for line in page.pulses),
        *(f'<polyline points="{_points(line)}"/>' for strip in page.strips for line in strip.lines),
        "</g>",
        *(f'<text x="{strip.label_at[0]:g}" y="{strip.label_at[1]:g}">{escape(strip.label)}</text>' for strip in page.strips),
        f'<text x="{MARGIN_MM:g}" y="{height - 1.5:g}">{escape(page.caption)}</text>',
        "</svg>",
    ]
    return "\n".join(body)


def _grid(width: float, height: float, step: int) -> str:
    upright = "".join(f"M{x} 0V{height:g}" for x in range(0, int(width) + 1, step))
    return upright + "".join(f"M0 {y}H{width:g}" for y in range(0, int(height) + 1, step))


def _points(line: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in line)
