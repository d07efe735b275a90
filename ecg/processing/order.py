"""Medians and percentiles: numpy sorts short rows many times faster than it selects from them, and long ones slower.

Values must hold no NaN, and the axis must not be empty.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SHORT = 256  # values of a row: up to so many are sorted


def median(values: Numbers, axis: int = -1) -> Numbers:
    """Return what ``np.median`` does."""
    last = values.shape[axis] - 1
    low, high = last // 2, (last + 1) // 2
    ordered = _ordered(values, axis, low, high)
    middle: Numbers = (ordered[..., low] + ordered[..., high]) * 0.5
    return middle


def percentiles(values: Numbers, *percents: float, axis: int = -1) -> tuple[Numbers, ...]:
    """Return what ``np.percentile`` does, interpolating between neighbours."""
    last = values.shape[axis] - 1
    places = [last * percent / 100 for percent in percents]
    between = [(int(place), min(int(place) + 1, last), place - int(place)) for place in places]
    ordered = _ordered(values, axis, *(end for low, high, _ in between for end in (low, high)))
    return tuple(ordered[..., low] + (ordered[..., high] - ordered[..., low]) * share for low, high, share in between)


def _ordered(values: Numbers, axis: int, *places: int) -> Numbers:
    """Return *values* with *axis* last and, of each row, at least what belongs to *places* in its place."""
    short = values.shape[axis] <= SHORT
    ordered = np.sort(values, axis=axis) if short else np.partition(values, sorted(set(places)), axis=axis)
    return ordered if axis == -1 else np.moveaxis(ordered, axis, -1)
