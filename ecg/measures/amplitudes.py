"""Voltages and durations inside the median beat, lead by lead: P, Q, R, S, R', T, and when the QRS is at its highest."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_MV = 0.03  # a deflection of less is none
LEVEL_S = 0.016  # before the QRS, averaged to the zero


@dataclass(frozen=True)
class Amplitudes:
    """One lead: millivolts over the level before the QRS (Q and S negative), durations in milliseconds; absent waves are 0.

    ``peak_ms`` is the time from QRS onset to the top of R (intrinsicoid deflection); ``p_late_mv_ms`` the area of P's negative
    end (negative); ``slur_ms`` how long the QRS takes to reach a fifth of its height.
    """

    p_mv: float
    q_mv: float
    r_mv: float
    s_mv: float
    r2_mv: float
    t_mv: float
    q_ms: float
    r_ms: float
    s_ms: float
    peak_ms: float
    p_late_mv_ms: float
    slur_ms: float


def amplitudes(lead: NDArray[np.float64], at: Mapping[str, int], before: int, rate: float) -> Amplitudes | None:
    """Return the voltages of the median beat *lead*, whose R peak is at *before* and whose marks *at* are relative to it."""
    if "qrs_on" not in at or "qrs_off" not in at:
        return None
    on, off = before + at["qrs_on"], before + at["qrs_off"]
    level = float(lead[max(0, on - round(LEVEL_S * rate)) : on + 1].mean())
    qrs = lead[on : off + 1] - level
    top = int(np.argmax(qrs))
    r_mv = float(qrs[top]) if qrs[top] >= SMALLEST_MV else 0.0
    ms = 1000 / rate
    q, s, r2 = (0.0, 0), (0.0, 0), 0.0
    first = top
    if r_mv:
        left, right = qrs[:top], qrs[top:]
        q = _deepest(left)
        s = _deepest(right)
        # The higher of two tops may be the second: what rises before the dip is then R, and the top itself R'.
        dip = int(np.argmin(left)) if left.size else 0
        earlier = float(left[:dip].max()) if dip else 0.0
        if q[0] and earlier >= SMALLEST_MV:
            first = int(np.argmax(left[:dip]))
            r2, r_mv, s, q = r_mv, earlier, q, (0.0, 0)
        elif s[0]:
            dip = int(np.argmin(right))
            later = float(right[dip:].max())
            r2 = later if later >= SMALLEST_MV else 0.0
    else:
        q = _deepest(qrs)
    p_mv = _extreme(lead, at, "p", before) - level if "p_peak" in at else 0.0
    t_mv = _extreme(lead, at, "t", before) - level if "t_peak" in at else 0.0
    size = float(np.abs(qrs).max()) if qrs.size else 0.0
    reached = np.flatnonzero(np.abs(qrs) >= 0.2 * size)
    r_ms = float((qrs[max(0, first - 60) : first + 60] > 0.0).sum() * ms) if r_mv else 0.0
    return Amplitudes(
        p_mv, q[0], r_mv, s[0], r2, t_mv, q[1] * ms, r_ms, s[1] * ms, top * ms if r_mv else 0.0,
        _late_p(lead, at, before, rate), float(reached[0] * ms) if reached.size else 0.0,
    )  # fmt: skip


def _deepest(piece: NDArray[np.float64]) -> tuple[float, int]:
    """Return the depth (negative, 0 when too small) and how many samples lie below zero."""
    if not piece.size or piece.min() > -SMALLEST_MV:
        return 0.0, 0
    return float(piece.min()), int((piece < 0).sum())


def _extreme(lead: NDArray[np.float64], at: Mapping[str, int], wave: str, before: int) -> float:
    return float(lead[before + at[f"{wave}_peak"]])


def _late_p(lead: NDArray[np.float64], at: Mapping[str, int], before: int, rate: float) -> float:
    """Return depth times width (mV·ms, negative) of what lies below the level at P's onset in the second half of P (Morris)."""
    if "p_on" not in at or "p_off" not in at:
        return 0.0
    on, off = before + at["p_on"], before + at["p_off"]
    wave = lead[on : off + 1] - (lead[on] + (lead[off] - lead[on]) * np.arange(off - on + 1) / max(1, off - on))
    late = wave[wave.size // 2 :]
    below = late < 0
    return float(late.min() * below.sum() * 1000 / rate) if below.any() else 0.0
