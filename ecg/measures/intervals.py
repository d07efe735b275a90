"""Global intervals in milliseconds, and QT corrected for the rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecg.analysis import Corrected

#: What a heart can do; a value outside was not measured but mistaken.
PLAUSIBLE_MS = {
    "p_duration_ms": (40, 220),
    "pr_interval_ms": (70, 480),
    "qrs_duration_ms": (40, 260),
    "qt_interval_ms": (180, 750),
}

_ENDS = {
    "p_duration_ms": ("p_on", "p_off"),
    "pr_interval_ms": ("p_on", "qrs_on"),
    "qrs_duration_ms": ("qrs_on", "qrs_off"),
    "qt_interval_ms": ("qrs_on", "t_off"),
}


@dataclass(frozen=True)
class Intervals:
    """Milliseconds, or None where an end of the interval is missing or the value is none of a heart."""

    p_duration_ms: float | None = None
    pr_interval_ms: float | None = None
    qrs_duration_ms: float | None = None
    qt_interval_ms: float | None = None


def intervals(whole: Mapping[str, int], rate: float) -> Intervals:
    """Return the intervals between the *whole* places (samples at *rate* Hz) of one shape."""
    values: dict[str, float | None] = {}
    for name, (begin, end) in _ENDS.items():
        value = (whole[end] - whole[begin]) * 1000 / rate if begin in whole and end in whole else None
        low, high = PLAUSIBLE_MS[name]
        values[name] = value if value is not None and low <= value <= high else None
    return Intervals(**values)


def middle(parts: Sequence[tuple[float, int]]) -> float | None:
    """Return the weighted median of (value, weight), or None of nothing."""
    if len(parts) <= 1:
        return parts[0][0] if parts else None
    ordered = sorted(parts)
    weights = np.cumsum([weight for _, weight in ordered])
    return ordered[int(np.searchsorted(weights, weights[-1] / 2))][0]


def corrected(qt_ms: float | None, rr_ms: float | None) -> Corrected:
    """Return QTc: Bazett 1920, Fridericia 1920, Framingham (Sagie 1992), Hodges 1983; nothing without QT or RR."""
    if qt_ms is None or not rr_ms:
        return Corrected()
    rr_s = rr_ms / 1000
    return Corrected(
        bazett=round(qt_ms / rr_s**0.5),
        fridericia=round(qt_ms / rr_s ** (1 / 3)),
        framingham=round(qt_ms + 154 * (1 - rr_s)),
        hodges=round(qt_ms + 1.75 * (60 / rr_s - 60)),
    )
