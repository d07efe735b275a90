"""Zero-phase filters by Fourier transform, over all leads at once; every array is (leads, samples) of finite millivolts.

One forward transform serves every band, and no signal library has to be loaded.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ecg.recording import Millivolts

Mask = NDArray[np.bool_]

#: Nothing on a body surface is larger; beyond it is an electrode that fell off or a broken converter.
IMPOSSIBLE_MV = 50.0
#: Rates between these are worked on as they are; others are brought to `WORKING_HZ`.
NATIVE_HZ = (240.0, 600.0)
MOST_CANDIDATES = 4000  # for pacing spikes: more is noise
WORKING_HZ = 500.0


def repaired(millivolts: Millivolts) -> tuple[Millivolts, Mask]:
    """Return the leads with missing and impossible samples bridged by straight lines, and the mask of what was bridged."""
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(millivolts) < IMPOSSIBLE_MV)
    if not bad.any():
        return millivolts, bad
    whole = np.array(millivolts)
    axis = np.arange(whole.shape[1])
    for row in np.flatnonzero(bad.any(axis=1)):
        good = ~bad[row]
        whole[row] = np.interp(axis, axis[good], whole[row, good]) if good.any() else 0.0
    return whole, bad


#: A pacing spike falls back on both sides, within so many seconds, by this share of the range that the 40 ms around it span.
SPIKES = ((0.002, 0.60), (0.004, 0.75))
SPIKE_MV = 0.15


def without_spikes(millivolts: Millivolts, rate: float) -> tuple[Millivolts, NDArray[np.intp]]:
    """Return the leads with pacing spikes bridged, and where the spikes stood (samples); no QRS is as narrow as `SPIKES` say."""
    widest, around = max(1, round(SPIKES[-1][0] * rate)), round(0.020 * rate)
    if rate < NATIVE_HZ[0] or millivolts.shape[1] < 4 * around:
        return millivolts, np.empty(0, np.intp)
    whole, found = None, []
    for reach_s, share in SPIKES:
        reach = max(1, round(reach_s * rate))
        steps = millivolts[:, reach:] - millivolts[:, :-reach]
        rows, columns = np.divmod(np.flatnonzero(np.abs(steps) > SPIKE_MV), steps.shape[1])
        back = np.minimum(columns + reach, steps.shape[1] - 1)
        before, after = steps[rows, columns], -steps[rows, back]
        fall = np.minimum(np.abs(before), np.abs(after))
        falls_back = (fall > SPIKE_MV) & (before * after > 0) & (back == columns + reach)
        rows, columns, fall = rows[falls_back], columns[falls_back], fall[falls_back]
        if rows.size > MOST_CANDIDATES:
            return millivolts, np.empty(0, np.intp)
        places = np.clip(columns[:, None] + reach + np.arange(-around, around + 1), 0, millivolts.shape[1] - 1)
        sharp = fall > share * np.ptp(millivolts[rows[:, None], places], axis=1)
        for row, column in zip(rows[sharp], columns[sharp] + reach, strict=True):
            whole = np.array(millivolts) if whole is None else whole
            left, right = max(0, column - widest), min(millivolts.shape[1] - 1, column + widest)
            whole[row, left : right + 1] = np.linspace(millivolts[row, left], millivolts[row, right], right - left + 1)
            found.append(int(column))
    return (millivolts if whole is None else whole), np.unique(np.array(found, np.intp))


def _fast_length(least: int) -> int:
    """Return the next length made of the factors 2, 3 and 5, a multiple of 8 so that `Spectrum.thinned` can fold it."""
    return min(
        base << max(3, (-(-least // base) - 1).bit_length()) for three in (1, 3, 9, 27) for base in (three, 5 * three, 25 * three)
    )


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The leads' transform, mirrored at both ends so that filters have no edge."""

    values: NDArray[np.complex128]
    frequencies_hz: NDArray[np.float64]
    rate: float
    padding: int
    length: int
    samples: int

    @cached_property
    def beating(self) -> Millivolts:
        """The leads from 0.5 to 40 Hz without mains, as most of the work wants them."""
        return self.filtered(self.band(0.5, 40.0) * self.without_mains())

    def filtered(self, gain: NDArray[np.float64]) -> Millivolts:
        """Return the leads after multiplying their transform by *gain*."""
        whole = np.fft.irfft(self.values * gain, self.length, axis=1)
        return whole[:, self.padding : self.padding + self.samples]

    def thinned(self, gain: NDArray[np.inexact], halvings: int) -> Millivolts:
        """Return what `filtered` gives with every other sample left out, once or twice; what is above half the rate is folded."""
        values, length = self.values * gain, self.length
        for _ in range(halvings):
            half, quarter = length // 2, length // 4
            values, length = 0.5 * (values[:, : quarter + 1] + values[:, half : quarter - 1 : -1].conj()), half
        whole = np.fft.irfft(values, length, axis=1)
        return whole[:, self.padding >> halvings : -(-(self.padding + self.samples) >> halvings)]

    def slow(self, high_hz: float) -> Millivolts:
        """Return the leads below *high_hz*, a few samples for each of its periods."""
        gain = self.band(0, high_hz)
        bins = min(gain.size, 2 + int(16 * high_hz * self.length / self.rate))
        values = self.values[:, :bins] * gain[:bins]
        whole = np.fft.irfft(values, 2 * (bins - 1), axis=1) * (2 * (bins - 1) / self.length)
        first, last = (round(at * whole.shape[1] / self.length) for at in (self.padding, self.padding + self.samples))
        return whole[:, first : max(last, first + 1)]

    def band(self, low_hz: float, high_hz: float, order: int = 2) -> NDArray[np.float64]:
        """Return the squared Butterworth magnitude between two corners; 0 or infinity leaves a side open."""
        return _kept(_band, self.length)(self.length, self.rate, low_hz, high_hz, order)

    def without_mains(self) -> NDArray[np.float64]:
        """Return a notch of 1.5 Hz at 50 and 60 Hz."""
        return _kept(_without_mains, self.length)(self.length, self.rate)


def _frequencies(length: int, rate: float) -> NDArray[np.float64]:
    return np.arange(length // 2 + 1, dtype=np.float64) * (rate / length)


#: Strips of one machine and the minutes of a long recording ask for the same few gains again and again: 256 kB each at most.
GAINS_KEPT, LONGEST_KEPT = 16, 1 << 16
_Gain = Callable[..., NDArray[np.float64]]


def _kept(gain: "functools._lru_cache_wrapper[NDArray[np.float64]]", length: int) -> _Gain:
    """Return *gain* as it is remembered, or unremembered for a transform of more than `LONGEST_KEPT`."""
    return gain if length <= LONGEST_KEPT else gain.__wrapped__


@functools.lru_cache(GAINS_KEPT)
def _band(length: int, rate: float, low_hz: float, high_hz: float, order: int) -> NDArray[np.float64]:
    f = _frequencies(length, rate)
    gain = np.ones_like(f)
    if low_hz > 0:
        powered = (f / low_hz) ** (2 * order)
        gain *= powered / (1 + powered)
    if np.isfinite(high_hz):
        gain /= 1 + (f / high_hz) ** (2 * order)
    return _shared(gain)


@functools.lru_cache(GAINS_KEPT)
def _without_mains(length: int, rate: float) -> NDArray[np.float64]:
    f = _frequencies(length, rate)
    return _shared((1 - np.exp(-(((f - 50) / 0.75) ** 2))) * (1 - np.exp(-(((f - 60) / 0.75) ** 2))))


def _shared(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return *values*, which nobody may change from now on."""
    values.setflags(write=False)
    return values


def spectrum(millivolts: Millivolts, rate: float) -> Spectrum:
    """Transform the leads, padded by a mirrored second at each end."""
    samples = millivolts.shape[1]
    padding = min(round(rate), samples - 1) & ~1  # even, so that a thinned lead begins with its first sample
    end = samples + 2 * padding
    length = _fast_length(end)
    whole = np.empty((len(millivolts), length))
    np.subtract(2 * millivolts[:, :1], millivolts[:, padding:0:-1], out=whole[:, :padding])
    whole[:, padding : padding + samples] = millivolts
    np.subtract(2 * millivolts[:, -1:], millivolts[:, -2 : -padding - 2 : -1], out=whole[:, padding + samples : end])
    # The ring is closed by a straight line from the end back to the beginning: a jump would ring through every filter.
    ramp = np.arange(1, length - end + 1) / (length - end + 1)
    whole[:, end:] = whole[:, end - 1 : end] + (whole[:, :1] - whole[:, end - 1 : end]) * ramp
    values = np.fft.rfft(whole, axis=1)
    return Spectrum(values, _frequencies(length, rate), rate, padding, length, samples)


def at_working_rate(millivolts: Millivolts, rate: float) -> tuple[Millivolts, float]:
    """Return the leads at a rate the detectors know: the same one when it lies in `NATIVE_HZ`, else `WORKING_HZ`."""
    if NATIVE_HZ[0] <= rate <= NATIVE_HZ[1]:
        return millivolts, rate
    wanted = max(1, round(millivolts.shape[1] * WORKING_HZ / rate))
    source = np.arange(millivolts.shape[1]) / rate
    target = np.arange(wanted) / WORKING_HZ
    if rate > NATIVE_HZ[1]:
        transform = spectrum(millivolts, rate)
        millivolts = transform.filtered(transform.band(0, 0.4 * WORKING_HZ, 6))
        return np.stack([np.interp(target, source, row) for row in millivolts]), WORKING_HZ
    return _interpolated(millivolts, rate, wanted), WORKING_HZ


def _interpolated(millivolts: Millivolts, rate: float, wanted: int) -> Millivolts:
    """Return slower leads at the working rate: the transform continued by zeros, so that no corner is added."""
    transform = spectrum(millivolts, rate)
    longer = round(transform.length * WORKING_HZ / rate)
    dense = np.fft.irfft(transform.values, longer, axis=1) * (longer / transform.length)
    true_rate = longer / transform.length * rate
    at = transform.padding / rate + np.arange(wanted) / WORKING_HZ
    places = np.arange(longer) / true_rate
    return np.stack([np.interp(at, places, row) for row in dense])


def moving_mean(values: Millivolts, width: int) -> Millivolts:
    """Return the centred mean over *width* samples along the last axis; the ends are held."""
    width = max(1, width | 1)
    half, size = width // 2, values.shape[-1]
    total = np.empty((*values.shape[:-1], size + width))
    total[..., 0] = 0.0
    total[..., 1 : half + 1] = values[..., :1]
    total[..., half + 1 : half + size + 1] = values
    total[..., half + size + 1 :] = values[..., -1:]
    np.cumsum(total, axis=-1, out=total)
    mean: Millivolts = (total[..., width:] - total[..., :-width]) * (1 / width)
    return mean


def moving_maximum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the centred maximum over *width* samples (made odd) of one row, by van Herk's two passes."""
    width = max(1, width | 1)
    half, size = width // 2, values.size
    blocks = -(-(size + 2 * half) // width)
    padded = np.full(blocks * width, -np.inf)
    padded[half : half + size] = values
    table = padded.reshape(blocks, width)
    forward = np.maximum.accumulate(table, axis=1).ravel()
    backward = np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.maximum(backward[:size], forward[width - 1 : width - 1 + size])
