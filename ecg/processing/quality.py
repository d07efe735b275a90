"""Whether a lead can be measured, and why not; the reasons are codes."""

import numpy as np
from numpy.typing import NDArray

from ecg.analysis import Quality
from ecg.processing.filters import Mask, Spectrum
from ecg.processing.order import median, percentiles
from ecg.recording import Millivolts

#: Reason -> whether the lead is still measured.
REASONS = {
    "too-short": False,
    "missing": False,
    "lead-off": False,
    "flat": False,
    "saturated": False,
    "noise": False,
    "mains": True,
    "baseline-wander": True,
}

SHORTEST_S = 2.0
FLAT_MV = 0.03  # from the lowest to the highest sample, wander aside
MISSING_SHARE = 0.1
RAIL_SHARE = 0.05  # of the samples at one and the same extreme value
NOISE_MV, NOISE_SHARE = 0.04, 0.08  # above 40 Hz: absolute, and of the lead's own span
MAINS_MV = 0.05  # effective value
WANDER_MV = 1.0  # under 0.5 Hz, from lowest to highest


def assess(millivolts: Millivolts, missing: Mask, transform: Spectrum) -> list[Quality]:
    """Return the quality of every lead."""
    f = transform.frequencies_hz
    samples = millivolts.shape[1]
    slow = transform.slow(0.5)
    edge = round(0.3 * transform.rate) if samples > 2 * transform.rate else 0
    inner = transform.beating[:, edge : samples - edge]
    fast = transform.thinned(transform.band(40.0, np.inf) * transform.without_mains(), 2)
    mains = ((f > 49) & (f < 51)) | ((f > 59) & (f < 61))
    mains_mv = np.sqrt(2 * (np.abs(transform.values[:, mains]) ** 2).sum(axis=1)) / transform.length
    span, wander = np.ptp(inner, axis=1), np.ptp(slow, axis=1)
    low, high = percentiles(inner[:, ::4], 1, 99)
    noise = median(np.abs(fast)) / 0.6745
    low_end, high_end = millivolts.min(axis=1, keepdims=True), millivolts.max(axis=1, keepdims=True)
    at_rail = np.maximum(_share_in_runs(millivolts == low_end), _share_in_runs(millivolts == high_end))
    still = _share(millivolts[:, 1:] == millivolts[:, :-1]) if samples > 1 else np.ones(len(millivolts))
    lost = _share(missing)
    result = []
    for row in range(len(millivolts)):
        reasons = {
            "too-short": samples / transform.rate < SHORTEST_S,
            "missing": lost[row] > MISSING_SHARE,
            "lead-off": still[row] > 0.98,
            "flat": still[row] <= 0.98 and span[row] < FLAT_MV,
            "saturated": still[row] <= 0.98 and span[row] > 1.0 and at_rail[row] > RAIL_SHARE,
            "noise": mains_mv[row] > max(MAINS_MV, span[row])
            or (noise[row] > NOISE_MV and noise[row] > NOISE_SHARE * (high[row] - low[row])),
            "mains": mains_mv[row] > MAINS_MV,
            "baseline-wander": wander[row] > WANDER_MV,
        }
        found = tuple(reason for reason, holds in reasons.items() if holds)
        result.append(Quality(all(REASONS[reason] for reason in found), found))
    return result


def _share(there: Mask) -> NDArray[np.float64]:
    return np.asarray(np.count_nonzero(there, axis=1) / there.shape[1])


def _share_in_runs(there: Mask) -> NDArray[np.float64]:
    """Return the share of each row that is in runs of at least three; 0 where no more than `RAIL_SHARE` could be."""
    result = np.zeros(len(there))
    if there.shape[1] >= 3:
        rows = np.flatnonzero(_share(there) > 0.9 * RAIL_SHARE)
        result[rows] = _share(there[rows, :-2] & there[rows, 1:-1] & there[rows, 2:])
    return result


def combined(parts: list[list[Quality]]) -> list[Quality]:
    """Return one quality per lead for a recording assessed in parts: unusable when most parts are, reasons of a third of them."""
    result = []
    for of_lead in zip(*parts, strict=True):
        counts = {reason: sum(reason in quality.reasons for quality in of_lead) for reason in REASONS}
        reasons = tuple(reason for reason, count in counts.items() if count * 3 > len(of_lead))
        result.append(Quality(sum(quality.usable for quality in of_lead) * 2 >= len(of_lead), reasons))
    return result
