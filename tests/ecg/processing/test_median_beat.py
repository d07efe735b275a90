"""Beats of one shape are put together, and the conducted shape comes first."""

import numpy as np

from ecg.processing.median_beat import realigned

RATE = 500.0


def drawn(widths_s: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return one lead with a beat of each width, 0.8 s apart, and where they stand."""
    peaks = (400 + 400 * np.arange(len(widths_s))).astype(np.intp)
    at = np.arange(peaks[-1] + 400)
    beats = [np.exp(-(((at - peak) / (width_s * RATE)) ** 2)) for peak, width_s in zip(peaks, widths_s, strict=True)]
    return np.sum(beats, axis=0)[None], peaks


def test_narrow_beats_come_first_where_wide_ones_outnumber_them():
    values, peaks = drawn([0.012, 0.045, 0.045] * 8)
    _, shape_of = realigned(values, peaks, RATE)
    assert shape_of.tolist() == [0, 1, 1] * 8


def test_a_few_narrow_beats_do_not_make_the_rhythm():
    values, peaks = drawn([0.012, *[0.045] * 5] * 4)
    _, shape_of = realigned(values, peaks, RATE)
    assert shape_of.tolist() == [1, *[0] * 5] * 4
