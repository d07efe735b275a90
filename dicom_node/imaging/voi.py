"""From stored values to shades of grey: modality transformation and value of interest (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


class Function(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class Window:
    """The value of interest: *centre* and *width* in modality units (Hounsfield units for a CT)."""

    centre: float
    width: float
    function: Function = Function.LINEAR


@dataclass(frozen=True)
class Table:
    """A look-up table: *entries* for the inputs from *first* on, of *bits* each (PS3.3 C.11.1.1.1)."""

    first: int
    bits: int
    entries: npt.NDArray[np.float64]

    def through(self, values: npt.NDArray[Any]) -> Values:
        """Look each value up; below the first and above the last entry, those answer."""
        index = np.clip(values.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[index]


def rescaled(values: npt.NDArray[Any], slope: float, intercept: float) -> Values:
    """Apply Rescale Slope and Intercept."""
    return values.astype(np.float64) * slope + intercept


def windowed(values: npt.NDArray[Any], window: Window) -> Values:
    """Return *values* seen through *window*, from 0.0 (dark) to 1.0 (bright)."""
    if window.function is Function.SIGMOID:
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-4.0 * (values - window.centre) / max(window.width, 1e-9)))
    if window.function is Function.LINEAR_EXACT or window.width < 1:
        # A width below 1 cannot be LINEAR (C.11.2.1.2.1): whoever writes it has fractional values and means the exact ramp.
        return _ramp(values, window.centre, window.width)
    # C.11.2.1.2.1: LINEAR looks at pixel centres, hence the halves; a width of 1 is a threshold.
    return _ramp(values, window.centre - 0.5, window.width - 1.0)


def _ramp(values: npt.NDArray[Any], centre: float, width: float) -> Values:
    if width <= 0:
        return (values > centre).astype(np.float64)
    shades: Values = values - centre  # and on in place: most of the time went to fetching memory
    shades /= width
    shades += 0.5
    return np.clip(shades, 0.0, 1.0, out=shades)


def looked_up(values: npt.NDArray[Any], table: Table) -> Values:
    """Return *values* seen through a VOI LUT, from 0.0 to 1.0."""
    return table.through(values) / float((1 << table.bits) - 1)


def automatic(values: npt.NDArray[Any], padding: npt.NDArray[np.bool_] | None = None) -> Window:
    """Return the window from the least to the greatest value, for an object that gives none; one value alone is shown dark.

    Padding is left out, unless nothing but one value is left without it.
    """
    for shown in (values if padding is None else values[~padding], values):
        known = np.isfinite(shown)
        finite = shown.reshape(-1) if known.all() else shown[known]
        if finite.size and (low := float(finite.min())) < (high := float(finite.max())):
            return Window((low + high) / 2, high - low, Function.LINEAR_EXACT)
    return Window(float(finite[0]) + 0.5 if finite.size else 0.5, 1.0, Function.LINEAR_EXACT)
