"""The ST level of every lead minute by minute, and where it leaves what is usual for the recording."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.holter.windows import Window

#: ST is read at J + 60 ms where the heart beats faster than this, else at J + 80 ms.
EARLY_BPM = 120.0
CHANGE_MV = 0.1  # for a minute at least: the 1 mm, 1 min rule of ambulatory monitoring (ACC/AHA 1999)
WIDER_MS = 40.0  # than usual: a minute of such beats has no ST to compare


@dataclass(frozen=True, eq=False)
class StTrend:
    """Millivolts as (minutes, leads), NaN where not measured; every minute reaches from ``starts`` to before ``ends`` (samples).

    ``measured_mv`` is what episodes stand on: J + 80 ms, or J + 60 ms at fast rates.
    """

    leads: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    j_mv: NDArray[np.float64]
    j60_mv: NDArray[np.float64]
    j80_mv: NDArray[np.float64]
    measured_mv: NDArray[np.float64]


def st_trend(windows: Sequence[Window], leads: tuple[str, ...], rate: float, normal_qrs_ms: float) -> StTrend:
    """Return the trend; a minute whose most frequent beats are far wider than *normal_qrs_ms* is left out."""
    nothing = np.full(len(leads), np.nan)
    rows = []
    for window in windows:
        st = window.st
        widths = window.qrs_ms[window.usual]
        if st is None or (widths.size and float(np.median(widths)) > normal_qrs_ms + WIDER_MS):
            rows.append((nothing, nothing, nothing, nothing))
            continue
        gaps = np.diff(window.peaks) / rate
        early = gaps.size > 0 and 60 / float(np.median(gaps)) > EARLY_BPM
        rows.append((st.j, st.j60, st.j80, st.j60 if early else st.j80))
    j, j60, j80, measured = (np.array(column) for column in zip(*rows, strict=True))
    starts, ends = zip(*(window.keep for window in windows), strict=True)
    return StTrend(leads, starts, ends, j, j60, j80, measured)


def deviations(trend: StTrend) -> Iterator[tuple[str, int, int, int, float]]:
    """Yield lead, first and last minute, the minute of the furthest and its change in mV from the recording's median."""
    for row, lead in enumerate(trend.leads):
        levels = trend.measured_mv[:, row]
        known = np.isfinite(levels)
        if known.sum() < 3:
            continue
        change = levels - np.median(levels[known])
        with np.errstate(invalid="ignore"):
            side = np.where(change >= CHANGE_MV, 1, np.where(change <= -CHANGE_MV, -1, 0))
        edges = np.flatnonzero(np.diff(side, prepend=0, append=0))
        for first, after in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if side[first]:
                furthest = first + int(np.argmax(np.abs(change[first:after])))
                yield lead, first, after - 1, furthest, float(change[furthest])
