"""Medians and percentiles by sorting: numpy sorts short rows many times faster than it selects from them.

Values must hold no NaN, and the axis must not be empty.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def median(values: Numbers, axis: int = -1) -> Numbers:
    """Return what ``np.median`` does."""
    ordered = _ordered(values, axis)
    size = ordered.shape[-1]
    middle: Numbers = (ordered[..., (size - 1) // 2] + ordered[..., size // 2]) * 0.5
    return middle


def percentiles(values: Numbers, *percents: float, axis: int = -1) -> tuple[Numbers, ...]:
    """Return what ``np.percentile`` does, interpolating between neighbours."""
    ordered = _ordered(values, axis)
    last = ordered.shape[-1] - 1
    result = []
    for percent in percents:
        place = last * percent / 100
        low, high = ordered[..., int(place)], ordered[..., min(int(place) + 1, last)]
        result.append(low + (high - low) * (place - int(place)))
    return tuple(result)


def _ordered(values: Numbers, axis: int) -> Numbers:
    ordered = np.sort(values, axis=axis)
    return ordered if axis == -1 else np.moveaxis(ordered, axis, -1)
