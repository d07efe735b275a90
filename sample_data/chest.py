"""A chest that nobody has, as a plate would show it: how much each ray is held back by tissue, bone and air.

Coordinates in millimetres, u to the image's right (the patient's left), v downwards, from the middle of the plate. Every
shape adds or takes away thickness of water; the picture is the logarithm of what arrives, bright where much was held back.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

Array = NDArray[np.float64]

ROWS, COLUMNS = 960, 840
SPACING_MM = 0.42
WHITEST = 4095

#: (u, v, radius) of a shadow in the right upper field, for something to be found.
NODULE = (-72.0, -78.0, 10.5)

RIBS = tuple((-118.0 + 25.5 * number, min(88 + 8.2 * number, 140.0)) for number in range(9))


def plate(chance: Generator) -> NDArray[np.uint16]:
    """Return the exposure as (rows, columns), 12 bits in 16, bright where the body is dense (MONOCHROME2)."""
    u, v = np.meshgrid(
        (np.arange(COLUMNS) - (COLUMNS - 1) / 2) * SPACING_MM,
        (np.arange(ROWS) - (ROWS - 1) / 2) * SPACING_MM,
    )
    lungs = np.maximum(_lung(u, v, -1), _lung(u, v, 1))
    water = _body(u, v) - 0.86 * 150 * lungs
    water += _heart(u, v) + _mediastinum(u, v)
    water += 26 * _vessels(chance) * np.clip(lungs * 1.6, 0, 1)
    water += _bones(u, v)
    reach = np.hypot(u - NODULE[0], v - NODULE[1]) / NODULE[2]
    water += 15 * np.sqrt(np.clip(1 - reach**2, 0, 1))
    water = gaussian_filter(np.clip(water, 0, None), 1.1)
    signal = 4095 * (1 - np.exp(-water / 135))
    grain = gaussian_filter(chance.standard_normal(water.shape), 0.7)
    signal = 0.92 * signal + 9 * grain / grain.std() + 60
    signal = np.where(_collimated(u, v), signal, 40)
    return np.clip(np.round(_marked(signal)), 0, WHITEST).astype(np.uint16)


def _body(u: Array, v: Array) -> Array:
    """Trunk, shoulders and neck, front to back."""
    trunk = 148 + 14 * np.exp(-(((v - 10) / 90) ** 2))
    shoulder = 190 * np.clip((v + 172) / 40, 0, 1) ** 0.5
    half = np.where(v < -95, np.maximum(44.0, np.minimum(shoulder, 190.0)), trunk + 40 * np.clip((-50 - v) / 45, 0, 1) ** 2)
    depth = 175 + 25 * np.clip((v - 60) / 120, 0, 1)
    return depth * np.sqrt(np.clip(1 - (u / half) ** 2, 0, 1))


def _lung(u: Array, v: Array, side: int) -> Array:
    """Return the share of the greatest air thickness, 0 outside; *side* -1 is the patient's right."""
    across = side * u
    dome = (84 if side < 0 else 96) + 0.0065 * (across - 62) ** 2 - 0.10 * (across - 62)
    top, middle = -158.0, 66.0
    share = np.clip((v - top) / (dome - top), 0, 1)
    outer = 68 * np.sin(np.clip(0.05 + 1.55 * share**0.62, 0, np.pi / 2 + 0.10))
    inner = 50 - 27 * np.sin(np.pi * np.clip(share * 0.9, 0, 1)) * (1 if side < 0 else 0.75)
    width = np.where(across > middle, outer, inner + 6)
    reach = np.abs(across - middle) / np.maximum(width, 1)
    edge = np.clip((dome - v) / 7, 0, 1) * np.clip((v - top) / 36, 0, 1) ** 0.6
    return np.sqrt(np.clip(1 - reach**2.6, 0, 1)) * edge * (0.80 + 0.20 * share)


def _heart(u: Array, v: Array) -> Array:
    tilt = 0.55
    along = (u - 26) * np.cos(tilt) + (v - 48) * np.sin(tilt)
    across = -(u - 26) * np.sin(tilt) + (v - 48) * np.cos(tilt)
    left = 105 * np.sqrt(np.clip(1 - (along / 72) ** 2 - (across / 50) ** 2, 0, 1))
    right = 70 * np.sqrt(np.clip(1 - ((u + 10) / 36) ** 2 - ((v - 44) / 46) ** 2, 0, 1))
    knob = 46 * np.sqrt(np.clip(1 - ((u - 27) / 17) ** 2 - ((v + 52) / 19) ** 2, 0, 1))
    return np.asarray(np.maximum(np.maximum(left, right), knob) * np.clip((118 - v) / 30, 0, 1))


def _mediastinum(u: Array, v: Array) -> Array:
    band = 58 * np.exp(-((u / 25) ** 4)) * np.clip((v + 165) / 40, 0, 1)
    airway = 24 * np.sqrt(np.clip(1 - ((u + 1) / 8) ** 2, 0, 1)) * ((v > -190) & (v < -52))
    for side in (-1, 1):
        branch = (v > -54) & (v < -14) & (np.abs(side * u - 0.8 * (v + 54)) < 6)
        airway = airway + 13 * branch
    hila = sum(22 * np.exp(-(((u - side * 38) / 13) ** 2) - ((v + 16 - 4 * side) / 22) ** 2) for side in (-1, 1))
    return np.asarray(band - airway + hila)


def _bones(u: Array, v: Array) -> Array:
    bones = np.zeros(u.shape)
    across = np.abs(u)
    for level, half in RIBS:
        out = np.clip((across - 14) / (half - 14), 0, 1.0)
        back = level - 15 * np.sin(np.pi * np.clip(out * 1.15, 0, 1)) + 46 * out**2.2
        bones = np.maximum(bones, _band(v - back, 6.2, 19) * (across > 14) * np.clip((half - across) / 9, 0, 1))
        front = level + 76 - 52 * out**1.4
        bones = np.maximum(
            bones, _band(v - front, 6.8, 9) * np.clip((across - 46) / 12, 0, 1) * np.clip((half - across) / 9, 0, 1) * (v < 100)
        )
    spine = np.where(across < 17, 34 + 9 * np.cos(2 * np.pi * v / 24), 0) * np.clip((17 - across) / 3, 0, 1)
    run = np.clip((across - 14) / 130, 0, 1)
    collar = (
        _band(v - (-118 - 30 * run + 10 * np.sin(2 * np.pi * run)), 6.5, 24) * (across > 14) * np.clip((138 - across) / 6, 0, 1)
    )
    blade = _band(across - (128 + 0.16 * (v + 60)), 4, 14) * np.clip((v + 112) / 10, 0, 1) * np.clip((12 - v) / 10, 0, 1)
    return np.asarray(bones + spine + collar + blade)


def _band(distance: Array, half: float, strength: float) -> Array:
    """Return a tube seen from the side: denser at its two edges than in its middle."""
    reach = np.abs(distance) / half
    return np.where(reach < 1, strength * (0.62 + 0.38 * reach**3) * np.clip((1 - reach) * 5, 0, 1), 0.0)


def _vessels(chance: Generator) -> Array:
    """Branches from both hila, thinner with every fork, as a picture of 0 to 1."""
    canvas = Image.new("L", (COLUMNS, ROWS), 0)
    pen = ImageDraw.Draw(canvas)
    for side in (-1, 1):
        for angle in np.linspace(-1.35, 1.45, 13):
            start = (COLUMNS / 2 + side * 36 / SPACING_MM, ROWS / 2 - 14 / SPACING_MM)
            _branch(pen, chance, start, (angle + 0.1 * chance.standard_normal(), float(side)), width=5.2, left=5)
    return np.asarray(gaussian_filter(np.asarray(canvas, float) / 255, 0.8))


def _branch(
    pen: ImageDraw.ImageDraw,
    chance: Generator,
    start: tuple[float, float],
    heading: tuple[float, float],
    *,
    width: float,
    left: int,
) -> None:
    """Draw one branch and what forks off it; *heading* is an angle and a side, *left* how many forks are to come."""
    angle, side = heading
    length = (12 + 9 * chance.random()) / SPACING_MM
    end = (start[0] + side * length * np.cos(angle), start[1] + length * np.sin(angle))
    pen.line([start, end], fill=int(70 + 28 * width), width=max(1, round(width)))
    if left:
        for turn in (-0.34, 0.30):
            if left > 3 and turn > 0 and chance.random() < 0.35:
                continue
            turned = angle + turn * (0.6 + 0.7 * chance.random())
            _branch(pen, chance, end, (turned, side), width=width * 0.76, left=left - 1)


def _collimated(u: Array, v: Array) -> NDArray[np.bool_]:
    return np.asarray((np.abs(u) < 171) & (np.abs(v) < 196))


def _marked(signal: Array) -> Array:
    """Put the lead letter at the patient's left shoulder."""
    top, left, size, thick = 70, COLUMNS - 120, 44, 10
    signal[top : top + size, left : left + thick] = WHITEST
    signal[top + size - thick : top + size, left : left + size * 2 // 3] = WHITEST
    return signal
