"""A beating heart in a sector of ultrasound that no probe has seen: four chambers, speckle that moves with the wall, colour flow.

Points are given from the probe's face in millimetres, x to the image's right and d down into the body. Echoes are in
decibels below the brightest; the speckle is complex noise smoothed along the beam, seen through the wall's motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates

Array = NDArray[np.float64]

ROWS, COLUMNS = 360, 480
FRAMES, FRAME_MS = 36, 40.0
MM_PER_PIXEL = 0.46
#: Where the probe's face is in the picture (column, row), half the sector's opening, and how deep it looks.
APEX = (COLUMNS / 2 - 10, 14.0)
HALF_ANGLE = 0.72
DEPTH_MM = 140.0

BLOOD_DB, MUSCLE_DB, LINING_DB, FAR_DB, DYNAMIC_DB = -52.0, -21.0, -4.0, -30.0, 56.0

#: The colour box within the sector: angles and depths.
BOX = (-0.26, 0.24, 52.0, 104.0)
GREEN, WHITE, GREY = (70, 220, 110), (235, 235, 235), (120, 120, 120)


@dataclass(frozen=True)
class Chamber:
    """An ellipse that shrinks to *share* of itself when the heart contracts, and is tilted by *tilt*."""

    x: float
    d: float
    width: float
    length: float
    tilt: float
    share: float
    atrium: bool = False


@dataclass(frozen=True)
class View:
    """Every pixel's place: across and down in millimetres, and as the probe sees it, angle and distance."""

    x: Array
    d: Array
    angle: Array
    reach: Array


CHAMBERS = (
    Chamber(13, 62, 20, 36, -0.10, 0.70),
    Chamber(-21, 66, 14, 31, 0.16, 0.74),
    Chamber(15, 118, 19, 15, 0.0, 0.80, atrium=True),
    Chamber(-20, 117, 17, 14, 0.0, 0.80, atrium=True),
)


def cine(chance: Generator) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of one and a half beats as (rows, columns, 3), red, green and blue."""
    columns, rows = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
    x: Array = np.asarray((columns - APEX[0]) * MM_PER_PIXEL, np.float64)
    d: Array = np.asarray((rows - APEX[1]) * MM_PER_PIXEL, np.float64)
    angle, reach = np.arctan2(x, d), np.hypot(x, d)
    sector = (np.abs(angle) < HALF_ANGLE) & (reach < DEPTH_MM) & (reach > 5)
    speckle = _speckle(chance)
    for number in range(FRAMES):
        phase = (number * FRAME_MS / 960.0) % 1.0
        squeeze = _squeeze(phase)
        echo = _echo(x, d, squeeze)
        moved = squeeze * 5.0 * np.exp(-(((reach - 75) / 45) ** 2))
        places = [(reach + moved) * 3.2, (angle + HALF_ANGLE) * 190 + squeeze * 2.5 * np.sin(angle * 4)]
        grain = map_coordinates(speckle, places, order=1, mode="wrap")
        lightness = np.clip(1 + (echo + 20 * np.log10(grain + 1e-3)) / DYNAMIC_DB, 0, 1) ** 1.15
        picture = np.repeat((lightness * 235 * sector)[..., None], 3, axis=2)
        picture = _coloured(picture, View(x, d, angle, reach), phase, echo)
        yield _annotated(np.clip(picture, 0, 255).astype(np.uint8), number)


def _squeeze(phase: float) -> float:
    """Return how contracted the ventricles are: 0 filled, 1 at the end of systole."""
    if phase < 0.38:
        return float(np.sin(np.pi / 2 * phase / 0.38) ** 2)
    return float(np.cos(np.pi / 2 * min(1.0, (phase - 0.38) / 0.34)) ** 2)


def _speckle(chance: Generator) -> Array:
    """Return amplitudes of mean 1 in (depth, beam): fine along the beam, coarser across, as a probe resolves."""
    shape = (512, 300)
    field = gaussian_filter(chance.standard_normal(shape), (0.9, 1.7)) + 1j * gaussian_filter(
        chance.standard_normal(shape), (0.9, 1.7)
    )
    amplitude = np.abs(field)
    return np.asarray(amplitude / amplitude.mean())


def _echo(x: Array, d: Array, squeeze: float) -> Array:
    """Return the echo strength in decibels: muscle around blood, bright linings, valves, the sac behind."""
    heart = np.hypot((x + 3) / 50, (d - 82) / 66)
    echo = np.where(heart < 1, MUSCLE_DB, FAR_DB)
    echo = np.where(np.abs(heart - 1) < 0.035, LINING_DB, echo)
    for chamber in CHAMBERS:
        pull = (1 - squeeze) if chamber.atrium else squeeze
        scale = 1 - (1 - chamber.share) * pull
        along = (d - chamber.d) * np.cos(chamber.tilt) + (x - chamber.x) * np.sin(chamber.tilt)
        across = -(d - chamber.d) * np.sin(chamber.tilt) + (x - chamber.x) * np.cos(chamber.tilt)
        size = np.hypot(across / (chamber.width * scale), along / (chamber.length * (1 - 0.5 * (1 - scale))))
        echo = np.where(size < 1, BLOOD_DB, echo)
        echo = np.where((size >= 1) & (size < 1.07), np.maximum(echo, -13.0), echo)
    openness = 1 - min(1.0, squeeze * 3)
    for hinge, tip in (((-6.0, 100.0), 13.0), ((32.0, 99.0), 13.0), ((-36.0, 101.0), -21.0), ((-7.0, 101.0), -21.0)):
        end = (tip + (hinge[0] - tip) * 0.75 * openness, 99.0 - 15 * openness)
        echo = np.where(_near(x, d, hinge, end) < 1.3, -9.0, echo)
    return np.asarray(gaussian_filter(echo - 0.05 * np.clip(d - 60, 0, None), 0.9))


def _near(x: Array, d: Array, begin: tuple[float, float], end: tuple[float, float]) -> Array:
    """Return the distance of every point from a line between two."""
    dx, dd = end[0] - begin[0], end[1] - begin[1]
    along = np.clip(((x - begin[0]) * dx + (d - begin[1]) * dd) / (dx * dx + dd * dd + 1e-9), 0, 1)
    return np.hypot(x - begin[0] - along * dx, d - begin[1] - along * dd)


def _coloured(picture: Array, view: View, phase: float, echo: Array) -> Array:
    """Lay the flow over the box: red towards the probe, blue away, yellow and cyan where it is too fast for the scale."""
    x, d, angle, reach = view.x, view.d, view.angle, view.reach
    left, right, near, far = BOX
    box = (angle > left) & (angle < right) & (reach > near) & (reach < far)
    filling = float(np.clip(np.sin(np.pi * (phase - 0.45) / 0.45), 0, 1)) if 0.45 < phase < 0.90 else 0.0
    leaving = float(np.sin(np.pi * phase / 0.36)) if phase < 0.36 else 0.0
    jet = np.exp(-(((x - 13 + 0.06 * (d - 90)) / (7 + 0.10 * np.clip(104 - d, 0, None))) ** 2))
    outflow = np.exp(-(((x - 3 - 0.10 * (104 - d)) / 6.5) ** 2))
    speed = 1.25 * filling * jet * np.clip((d - 44) / 40, 0, 1) - 1.35 * leaving * outflow * np.clip((d - 40) / 45, 0, 1)
    folded = (speed + 1) % 2 - 1
    flows = box & (echo < -36) & (np.abs(speed) > 0.10)
    strong = np.abs(folded)
    red = np.stack([90 + 165 * strong, 200 * strong**2.2, 20 * strong], axis=2)
    blue = np.stack([20 * strong, 200 * strong**2.2, 95 + 160 * strong], axis=2)
    colour = np.where((folded > 0)[..., None], red, blue)
    picture = np.where(flows[..., None], colour, picture)
    rim = np.minimum(np.abs(angle - left), np.abs(angle - right)) * reach
    drawn = ((rim < 0.4) & (reach > near) & (reach < far)) | (
        (np.minimum(np.abs(reach - near), np.abs(reach - far)) < 0.4) & (angle > left) & (angle < right)
    )
    return np.where(drawn[..., None], np.array(GREEN, float), picture)


def _annotated(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Draw the depth marks, the colour scale, and the lead of the ECG with the moment shown."""
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for depth in range(0, 141, 20):
        row = APEX[1] + depth / MM_PER_PIXEL
        pen.line([(COLUMNS - 16, row), (COLUMNS - (6 if depth % 100 else 2), row)], fill=GREY)
    for step in range(60):
        share = 1 - step / 29.5
        strong = abs(share)
        tone = (90 + 165 * strong, 200 * strong**2.2, 20) if share > 0 else (20, 200 * strong**2.2, 95 + 160 * strong)
        pen.line([(12, 22 + step), (20, 22 + step)], fill=tuple(int(part) for part in tone))
    pen.text((10, 6), "SYNTHETIC", fill=WHITE)
    base, width = ROWS - 18, 190
    trace = [(14 + k, base - 13 * _lead((k / width * FRAMES * FRAME_MS / 960.0) % 1.0)) for k in range(width)]
    pen.line(trace, fill=GREEN)
    now = 14 + number * width / FRAMES
    pen.line([(now, base - 16), (now, base + 6)], fill=WHITE)
    return np.asarray(image)


def _lead(phase: float) -> float:
    waves = (
        (0.90, 0.025, 0.14),
        (0.985, 0.006, -0.12),
        (0.0, 0.010, 1.0),
        (1.0, 0.010, 1.0),
        (0.03, 0.010, -0.2),
        (0.30, 0.045, 0.28),
    )
    return float(sum(height * np.exp(-0.5 * ((phase - at) / spread) ** 2) for at, spread, height in waves))
