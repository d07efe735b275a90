"""Heart rate variability of normal beats: neurokit2 reckons it, loaded when it is asked for.

Task Force of ESC and NASPE 1996: only intervals between two normal beats (NN) count; what was left out is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg.holter.rhythm import BeatTable

SHORTEST_S = 300.0
SEGMENT_MS, SEGMENT_SHARE = 300_000.0, 0.8  # spectra are of five minutes, of which so much must be NN
SPECTRUM_HZ = 4  # an even rate for the spectrum: eight times its highest frequency and more
ARTEFACT = 0.20  # an interval that changes by more from the last is no NN (Malik 1989)

_TIME = {"sdnn_ms": "HRV_SDNN", "rmssd_ms": "HRV_RMSSD", "pnn50_percent": "HRV_pNN50", "triangular_index": "HRV_HTI"}
_FREQUENCY = {"vlf_ms2": "HRV_VLF", "lf_ms2": "HRV_LF", "hf_ms2": "HRV_HF"}


@dataclass(frozen=True)
class Variability:
    """HRV over the whole recording; the spectrum is the mean over its five-minute segments. None is "not measurable"."""

    nn_intervals: int
    excluded_share: float
    mean_nn_ms: float | None
    sdnn_ms: float | None
    rmssd_ms: float | None
    pnn50_percent: float | None
    triangular_index: float | None
    sdann_ms: float | None
    sdnn_index_ms: float | None
    vlf_ms2: float | None
    lf_ms2: float | None
    hf_ms2: float | None
    lf_hf: float | None
    segments: int

    def as_json(self) -> dict[str, Any]:
        """Return the values by name, rounded."""
        return {name: value if value is None or isinstance(value, int) else round(value, 3) for name, value in vars(self).items()}


def normal_intervals(table: BeatTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return every NN interval and the time of the beat that ends it, in ms; fibrillation and flutter have none."""
    gaps = table.gap_ms
    last = np.concatenate([[np.nan], gaps[:-1]])
    with np.errstate(invalid="ignore"):
        steady = ~(np.abs(gaps - last) > ARTEFACT * last)
    chosen = table.normal_gaps & steady & ~table.fibrillating & ~table.fluttering
    return gaps[chosen], table.at[chosen] * (1000 / table.rate)


def variability(table: BeatTable) -> Variability | None:
    """Return the variability, None with fewer than 50 NN intervals."""
    nn, at_ms = normal_intervals(table)
    if nn.size < 50:
        return None
    import neurokit2  # noqa: PLC0415 - two seconds of loading, for long recordings only

    def intervals(part: slice) -> dict[str, NDArray[np.float64]]:
        return {"RRI": nn[part], "RRI_Time": at_ms[part] / 1000}

    how = {"sampling_rate": 1000, "interpolation_rate": SPECTRUM_HZ, "normalize": False, "psd_method": "welch"}
    segments = _segments(nn, at_ms)
    spectra = [_named(neurokit2.hrv_frequency(intervals(part), **how), _FREQUENCY) for part in segments]
    powers = {name: _mean([spectrum[name] for spectrum in spectra]) for name in _FREQUENCY}
    lf, hf = powers["lf_ms2"], powers["hf_ms2"]
    means = [float(nn[part].mean()) for part in segments]
    return Variability(
        nn_intervals=int(nn.size),
        excluded_share=1 - nn.size / max(1, table.at.size - 1),
        mean_nn_ms=float(nn.mean()),
        **_named(neurokit2.hrv_time(intervals(slice(None)), sampling_rate=1000), _TIME),
        sdann_ms=float(np.std(means, ddof=1)) if len(means) > 1 else None,
        sdnn_index_ms=_mean([float(np.std(nn[part], ddof=1)) for part in segments]),
        **powers,
        lf_hf=lf / hf if lf is not None and hf else None,
        segments=len(segments),
    )


def _named(found: Any, names: dict[str, str]) -> dict[str, float | None]:  # noqa: ANN401 - a table of an untyped library
    """Return the columns of the one row by our *names*, None for what could not be reckoned."""
    values = {name: float(found[column].iloc[0]) for name, column in names.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _segments(nn: NDArray[np.float64], at_ms: NDArray[np.float64]) -> list[slice]:
    """Return the five-minute segments, from the recording's beginning, that are mostly NN."""
    edges = np.searchsorted(at_ms, np.arange(0, at_ms[-1] + SEGMENT_MS, SEGMENT_MS))
    parts = [slice(int(first), int(last)) for first, last in pairwise(edges)]
    return [part for part in parts if float(nn[part].sum()) >= SEGMENT_SHARE * SEGMENT_MS]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
