"""R peaks from all leads at once: tops of the spatial velocity, judged twice by small networks that see their surroundings."""

import numpy as np
from numpy.typing import NDArray

from ecg.processing.candidates import Candidates, Mask, Samples, candidates
from ecg.processing.filters import Spectrum
from ecg.processing.network import Network, network
from ecg.recording import Millivolts

REFRACTORY_S = 0.20
FIRST_BELIEF = 0.40  # of the local reference: what is taken for a beat before anything is known
CONTRAST = 2.2  # reference over median: noise without beats has less
CUT_S = 0.06  # a QRS this near to an end is cut, or is the converter settling
EDGE_S = 0.3  # a lone beat this near to an end is none


def detect(transform: Spectrum, usable: NDArray[np.bool_]) -> Samples:
    """Return where the ventricles beat (samples of the working rate), ascending, before alignment to the R peak."""
    none = np.empty(0, np.intp)
    if not usable.any() or transform.samples < transform.rate:
        return none
    tops = candidates(transform, usable)
    if tops is None or tops.contrast < CONTRAST:
        return none
    beats = tops.at[believed(tops, network("beats", "first"), network("beats", "second"))]
    from_end = np.minimum(beats, transform.samples - 1 - beats) / transform.rate
    beats = beats[from_end >= CUT_S]
    return none if beats.size == 1 and from_end.max() < EDGE_S else beats


def believed(tops: Candidates, first: Network, second: Network) -> Mask:
    """Return which *tops* are beats: asked of *first* from their heights, then of *second* with the answer in view."""
    once = apart(tops, first(tops.described(tops.height > FIRST_BELIEF))[:, 0])
    return apart(tops, second(tops.described(once))[:, 0])


def apart(tops: Candidates, speaking_for: NDArray[np.float64]) -> Mask:
    """Return the tops with more for than against them, the weaker of two within the refractory time left out."""
    keep = speaking_for > 0
    if (np.diff(tops.at[keep]) >= REFRACTORY_S * tops.rate).all():
        return keep
    for place in np.flatnonzero(keep)[np.argsort(-speaking_for[keep])]:
        if keep[place]:
            near = np.abs(tops.at - tops.at[place]) < REFRACTORY_S * tops.rate
            keep &= ~near
            keep[place] = True
    return keep


def aligned(beating: Millivolts, tops: Samples, usable: NDArray[np.bool_], rate: float) -> Samples:
    """Return the beats moved to the greatest spatial magnitude within 80 ms, at least the refractory time apart."""
    if not tops.size:
        return tops
    magnitude = np.sqrt((beating[usable] ** 2).sum(axis=0))
    reach = round(0.08 * rate)
    near = np.clip(tops[:, None] + np.arange(-reach, reach + 1), 0, magnitude.size - 1)
    moved = near[np.arange(tops.size), np.argmax(magnitude[near], axis=1)]
    peaks: list[int] = []
    for peak in moved.tolist():
        if not peaks or peak - peaks[-1] > 0.15 * rate:
            peaks.append(peak)
    return np.array(peaks, np.intp)
