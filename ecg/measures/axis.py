"""Frontal axes of P, QRS and T from the areas in I and aVF."""

import math

import numpy as np
from numpy.typing import NDArray

from ecg.recording import Millivolts

SMALLEST_MV_S = 2e-4  # a vector of less area points nowhere
GOLDBERGER = 2 / math.sqrt(3)  # augmented leads are drawn shorter by this


def area(samples: NDArray[np.float64], first: int, last: int, rate: float) -> float:
    """Return the area in mV·s between *first* and *last* over the line that joins them."""
    piece = samples[first : last + 1]
    if piece.size < 3:
        return 0.0
    return float((piece - np.linspace(piece[0], piece[-1], piece.size)).sum() / rate)


def axis(one: NDArray[np.float64], foot: NDArray[np.float64], span: tuple[int, int], rate: float) -> int | None:
    """Return the axis of the wave in *span* in degrees (-179 to 180; 0 left, 90 to the feet), or None when it is too small."""
    x, y = area(one, *span, rate), area(foot, *span, rate) * GOLDBERGER
    if math.hypot(x, y) < SMALLEST_MV_S:
        return None
    degrees = round(math.degrees(math.atan2(y, x)))
    return 180 if degrees == -180 else degrees


def foot_lead(rows: dict[str, int], median: Millivolts) -> NDArray[np.float64] | None:
    """Return aVF, recorded or reckoned from two limb leads."""
    if "aVF" in rows:
        recorded: NDArray[np.float64] = median[rows["aVF"]]
        return recorded
    if "I" in rows and "II" in rows:
        reckoned: NDArray[np.float64] = median[rows["II"]] - median[rows["I"]] / 2
        return reckoned
    return None
