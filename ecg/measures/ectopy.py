"""The class of every beat: normal, ventricular, supraventricular and premature, or paced."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NORMAL, VENTRICULAR, SUPRAVENTRICULAR, PACED = "N", "V", "S", "P"

PREMATURE, ABRUPT = 0.86, 0.88  # of the usual interval around, and of the interval before: breathing changes it gradually
EARLY = 0.92  # enough for a beat of another shape
WIDER_MS, WIDE_MS = 16, 110  # than the usual beats, and at least: a ventricular beat
MUCH_WIDER_MS = 40  # ventricular even when it is not early
#: Two kinds of intervals, each nearly constant, far apart: premature beats in turn with normal ones, and no fibrillation.
GROUPS_APART, GROUP_SPREAD, GROUP_LEAST = 1.5, 0.10, 3


@dataclass(frozen=True, eq=False)
class BeatFacts:
    """What is known of each beat; arrays of one length. ``usual`` tells whether it has the recording's most frequent shape."""

    at_ms: NDArray[np.float64]
    usual: NDArray[np.bool_]
    qrs_ms: NDArray[np.float64]
    with_p: NDArray[np.bool_]
    paced: NDArray[np.bool_]


def local_interval(gaps_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every beat the median of the eleven intervals around it."""
    if not gaps_ms.size:
        return np.full(1, 1000.0)
    padded = np.pad(gaps_ms, 5, mode="reflect" if gaps_ms.size > 5 else "edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 11), axis=1)
    return np.concatenate([medians[:1], medians])


def _relative_gaps(beats: BeatFacts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the intervals before and after every beat over the usual one around; 1 at the ends."""
    gaps = np.diff(beats.at_ms)
    usual = local_interval(gaps)
    return np.concatenate([usual[:1], gaps]) / usual, np.concatenate([gaps, usual[-1:]]) / usual


def ventricular(beats: BeatFacts) -> NDArray[np.bool_]:
    """Return which beats come from the ventricles: of another shape, wider, and early or without a P wave."""
    if not beats.at_ms.size:
        return np.empty(0, np.bool_)
    since, _ = _relative_gaps(beats)
    normal_ms = float(np.median(beats.qrs_ms[beats.usual])) if beats.usual.any() else float(np.median(beats.qrs_ms))
    wider = (beats.qrs_ms >= normal_ms + WIDER_MS) & (beats.qrs_ms >= WIDE_MS)
    much = wider & (beats.qrs_ms >= normal_ms + MUCH_WIDER_MS)
    return np.asarray(~beats.usual & ~beats.paced & ((wider & (since < EARLY)) | (much & ~beats.with_p)))


def classes(beats: BeatFacts, *, fibrillating: bool | NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the class of every beat; among the intervals of fibrillation (all, or the beats it names) none is premature."""
    if not beats.at_ms.size:
        return ()
    since, until = _relative_gaps(beats)
    from_ventricles = ventricular(beats)
    result = np.full(beats.at_ms.size, NORMAL)
    last = np.concatenate([[1.0], since[:-1]])
    premature = (since < PREMATURE) & (since < ABRUPT * last) & (since < ABRUPT * until) & ~np.asarray(fibrillating)
    result[premature & ~np.concatenate([[False], from_ventricles[:-1]])] = SUPRAVENTRICULAR
    result[from_ventricles] = VENTRICULAR
    result[beats.paced] = PACED
    return tuple(result.tolist())


def in_groups(gaps_ms: NDArray[np.float64]) -> bool:
    """Tell whether the intervals fall into two narrow groups that lie far apart."""
    ordered = np.sort(gaps_ms)
    if ordered.size < 2 * GROUP_LEAST:
        return False
    cut = 1 + int(np.argmax(np.diff(ordered) / ordered[:-1]))
    groups = ordered[:cut], ordered[cut:]
    narrow = all(group.size >= GROUP_LEAST and group.std() <= GROUP_SPREAD * group.mean() for group in groups)
    return narrow and bool(groups[1].mean() >= GROUPS_APART * groups[0].mean())


def longest_run(beat_classes: Sequence[str], of: str) -> tuple[int, int]:
    """Return first and last place of the longest run of one class; (0, -1) when there is none."""
    best, begun = (0, -1), None
    for place, each in enumerate([*beat_classes, ""]):
        if each == of and begun is None:
            begun = place
        elif each != of and begun is not None:
            best = max(best, (begun, place - 1), key=lambda span: span[1] - span[0])
            begun = None
    return best
