"""Beats of one shape put together: clusters by correlation over all leads, and the median beat of each."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.processing.candidates import Samples
from ecg.processing.order import median
from ecg.recording import Millivolts

BEFORE_S, AFTER_S = 0.45, 0.65  # of the median beat, around the R peak
ALIKE = 0.88  # correlation over the QRS of all leads
AMPLITUDE = (0.6, 1.65)
FREQUENT, ENOUGH, MUCH_WIDER = (
    0.15,
    6,
    1.5,
)  # a shape of this share of the beats, and so many, so much narrower than the most frequent, is first
MAX_SHAPES = 8  # the rest joins the nearest
MEDIAN_OF = 48  # beats: more changes nothing but the time it takes


@dataclass(frozen=True, eq=False)
class Shape:
    """Beats that look alike: their places in the list of beats and their median, (leads, samples) with R at ``before``."""

    members: Samples
    median: Millivolts
    before: int


def windows(values: Millivolts, centres: Samples, before: int, after: int) -> Millivolts:
    """Return (beats, leads, before + after) cut around *centres*; beyond the ends the edge sample is repeated."""
    columns = np.clip(centres[:, None] + np.arange(-before, after)[None, :], 0, values.shape[1] - 1)
    return np.ascontiguousarray(np.moveaxis(values[:, columns], 0, 1))


def realigned(values: Millivolts, peaks: Samples, rate: float) -> tuple[Samples, NDArray[np.intp]]:
    """Return the peaks shifted to lie alike in beats of one shape, and the shape's number of every beat.

    The most frequent shape has the number 0, unless its beats are much wider than those of another frequent one.
    """
    half, slack = round(0.07 * rate), round(0.024 * rate)
    wide = windows(values, peaks, half + slack, half + slack)
    wide = wide - wide.mean(axis=2, keepdims=True)
    # (beats, shifts, numbers): every beat's leads one behind the other, once for each shift
    shifted = np.lib.stride_tricks.sliding_window_view(wide, 2 * half, axis=2).swapaxes(1, 2)
    shifted = shifted.reshape(peaks.size, 2 * slack + 1, -1)
    sizes = np.sqrt(np.einsum("bsn,bsn->bs", shifted, shifted)) + 1e-9
    templates = np.empty((MAX_SHAPES, shifted.shape[2]))
    strengths: list[float] = []
    shape_of = np.zeros(peaks.size, np.intp)
    shift = np.zeros(peaks.size, np.intp)
    for beat, size in enumerate(sizes.tolist()):
        scores = templates[: len(strengths)] @ shifted[beat].T
        best, found, place = -np.inf, 0, slack
        for number, (at, strength) in enumerate(zip(scores.argmax(axis=1).tolist(), strengths, strict=True)):
            alike = AMPLITUDE[0] < size[slack] / strength < AMPLITUDE[1]
            score = scores[number, at] / (size[at] * strength) - (not alike)
            if score > best:
                best, found, place = score, number, at
        if best < ALIKE and len(strengths) < MAX_SHAPES:
            found, place = len(strengths), slack
            templates[found] = shifted[beat, slack]
            strengths.append(size[slack])
        elif best >= ALIKE:
            template = templates[found]
            template += (shifted[beat, place] - template) / 6
            strengths[found] = math.sqrt(template @ template) + 1e-9
        shape_of[beat], shift[beat] = found, place - slack
    known = len(strengths)
    counts = np.bincount(shape_of, minlength=max(1, known))
    order = np.argsort(-counts, kind="stable")
    widths = np.array([_width(template, rate) for template in templates[:known].reshape(known, wide.shape[1], 2 * half)])
    conducted = (counts >= max(ENOUGH, FREQUENT * peaks.size)) & (widths * MUCH_WIDER < widths[order[0]])
    if conducted.any():  # the wide beats come from the ventricles, however many there are
        first = order[conducted[order]][0]
        order = np.concatenate([[first], order[order != first]])
    return peaks + shift, np.argsort(order, kind="stable")[shape_of]


def _width(template: Millivolts, rate: float) -> float:
    """Return how far the slopes of a beat's leads reach around their middle, in seconds."""
    power = (np.diff(template, axis=1) ** 2).sum(axis=0)
    power /= power.sum() + 1e-12
    at = np.arange(power.size) / rate
    return float(np.sqrt(max(0.0, (power * at**2).sum() - (power * at).sum() ** 2)))


def shapes(values: Millivolts, peaks: Samples, shape_of: NDArray[np.intp], rate: float) -> list[Shape]:
    """Return the shapes in the order of their numbers."""
    before, after = round(BEFORE_S * rate), round(AFTER_S * rate)
    result = []
    for number in range(int(shape_of.max()) + 1 if shape_of.size else 0):
        members = np.flatnonzero(shape_of == number)
        if not members.size:
            continue
        whole = members[(peaks[members] >= before) & (peaks[members] + after <= values.shape[1])]
        taken = whole if whole.size >= min(3, members.size) else members
        taken = taken[:: max(1, taken.size // MEDIAN_OF)]
        result.append(Shape(members, median(windows(values, peaks[taken], before, after), axis=0), before))
    return result
