"""The ST segment: levels at J, J + 60 ms and J + 80 ms against the level before the QRS, lead by lead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.processing.candidates import Samples
from ecg.processing.order import median
from ecg.recording import Millivolts

LEVEL_S = 0.016  # of quiet before the QRS is averaged to the zero
POINT_S = 0.008  # around a point is averaged


@dataclass(frozen=True, eq=False)
class StLevels:
    """Millivolts per lead."""

    j: NDArray[np.float64]
    j60: NDArray[np.float64]
    j80: NDArray[np.float64]


def st_levels(measured: Millivolts, peaks: Samples, on: int, off: int, rate: float) -> StLevels | None:
    """Return the levels as medians over the beats at *peaks*, of leads that went through no high-pass filter.

    *on* and *off* are the QRS relative to the R peak. The wander between two beats is taken as a straight line from one zero to
    the next, so that no filter bends the segment. None when no beat lies wholly inside.
    """
    width = max(1, round(LEVEL_S * rate))
    zeros = peaks + on - width // 2 - round(0.004 * rate)
    places = [peaks + off + round(delay * rate) for delay in (0.0, 0.060, 0.080)]
    inside = (zeros >= 0) & (places[2] < measured.shape[1])
    if not inside.any():
        return None
    keep = np.flatnonzero(zeros >= 0)
    zero_at = zeros[keep]
    zero_level = _mean_around(measured, zero_at, width)
    levels = []
    for place in places:
        at = place[inside]
        before = np.minimum(np.searchsorted(zero_at, at, side="right") - 1, zero_at.size - 1)
        after = np.minimum(before + 1, zero_at.size - 1)
        share = np.minimum((at - zero_at[before]) / np.maximum(zero_at[after] - zero_at[before], 1), 1.0)
        drift = zero_level[:, before] * (1 - share) + zero_level[:, after] * share
        levels.append(median(_mean_around(measured, at, round(POINT_S * rate)) - drift))
    return StLevels(*levels)


def _mean_around(values: Millivolts, at: Samples, width: int) -> Millivolts:
    """Return the mean over *width* samples (made odd) around each place; the ends are held."""
    half = width // 2
    near = np.minimum(np.maximum(at[:, None] + np.arange(-half, half + 1), 0), values.shape[1] - 1)
    mean: Millivolts = values[:, near].sum(axis=2) / (2 * half + 1)
    return mean
