"""R peaks from all leads at once: band-passed spatial velocity, a threshold by local rank, a T-wave guard and a search back."""

import numpy as np
from numpy.typing import NDArray

from ecg.processing.filters import Spectrum, moving_maximum, moving_mean
from ecg.recording import Millivolts

Samples = NDArray[np.intp]

BAND_HZ = (6.0, 32.0)
WINDOW_S = 0.09  # the velocity is averaged over about one QRS
REFRACTORY_S = 0.20
T_GUARD_S, T_GUARD_SHARE = 0.36, 0.50
BLOCK_S = 2.0  # holds a beat at 31/min and faster
THRESHOLD, SEARCH_BACK = 0.35, 0.20  # of the local reference
GAP = 1.66  # of the local interval, before searching back
FLOOR_MV_S = 1.5  # no ventricle is slower; noise of a good electrode stays below
CONTRAST = 2.2  # reference over median: noise without beats has less


def velocity(transform: Spectrum, usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the spatial velocity in mV/s (root mean square over leads, each weighted by how much it stands out)."""
    gain = transform.band(*BAND_HZ) * transform.without_mains() * (2 * np.pi * transform.frequencies_hz)
    slopes = np.fft.irfft(transform.values[usable] * (1j * gain), transform.length, axis=1)
    slopes = slopes[:, transform.padding : transform.padding + transform.samples] ** 2
    power = moving_mean(slopes, round(WINDOW_S * transform.rate))
    thinned = power[:, ::5]
    contrast = np.sqrt(np.percentile(thinned, 97, axis=1) / (np.median(thinned, axis=1) + 1e-9))
    weight = np.clip((contrast - 1.5) / 6, 0.02, 1.0) ** 2
    weighted = (power * weight[:, None]).sum(axis=0) / weight.sum()
    return np.asarray(np.sqrt(np.maximum(weighted, 0)))


def _reference(feature: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Return, for every sample, the median of the greatest values of the blocks within five seconds."""
    highest = moving_maximum(feature, round(BLOCK_S * rate))
    step = max(1, round(0.25 * rate))
    coarse = highest[step // 2 :: step]
    half = min(20, coarse.size)
    padded = np.pad(coarse, half, mode="reflect" if coarse.size > half else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    local = np.median(windows, axis=1)
    return np.asarray(np.interp(np.arange(feature.size), np.arange(coarse.size) * step + step // 2, local))


def detect(transform: Spectrum, usable: NDArray[np.bool_]) -> Samples:
    """Return where the ventricles beat (samples of the working rate), ascending, before alignment to the R peak."""
    rate = transform.rate
    if not usable.any() or transform.samples < rate:
        return np.empty(0, np.intp)
    feature = velocity(transform, usable)
    reference = np.maximum(_reference(feature, rate), FLOOR_MV_S)
    if np.median(reference) < CONTRAST * np.median(feature):
        return np.empty(0, np.intp)
    tops = np.flatnonzero((feature == moving_maximum(feature, round(REFRACTORY_S * rate))) & (feature > SEARCH_BACK * reference))
    tops = tops[feature[tops] > 0.6 * FLOOR_MV_S]
    height = feature[tops] / reference[tops]
    chosen: list[int] = []
    for number in np.flatnonzero(height > THRESHOLD):
        if (
            chosen
            and (tops[number] - tops[chosen[-1]]) < T_GUARD_S * rate
            and height[number] < T_GUARD_SHARE * height[chosen[-1]]
        ):
            continue
        chosen.append(int(number))
    beats = np.asarray(tops[_searched_back(tops, height, chosen, rate)])
    lone = beats.size == 1 and not 0.3 * rate < beats[0] < transform.samples - 0.3 * rate
    return beats[:0] if lone else beats


def _searched_back(tops: Samples, height: NDArray[np.float64], chosen: list[int], rate: float) -> list[int]:
    """Return *chosen* with the greatest lesser top in every gap that is too long for the intervals around it."""
    if len(chosen) < 3:
        return chosen
    times = tops[chosen]
    intervals = np.diff(times)
    found = list(chosen)
    for place, interval in enumerate(intervals):
        usual = float(np.median(intervals[max(0, place - 4) : place + 5]))
        if interval < GAP * usual:
            continue
        inside = [
            number
            for number in range(chosen[place] + 1, chosen[place + 1])
            if tops[number] - times[place] > T_GUARD_S * rate and times[place + 1] - tops[number] > REFRACTORY_S * 1.4 * rate
        ]
        if inside:
            found.append(max(inside, key=lambda number: float(height[number])))
    return sorted(found)


def aligned(beating: Millivolts, tops: Samples, usable: NDArray[np.bool_], rate: float) -> Samples:
    """Return the beats moved to the greatest spatial magnitude within 80 ms, at least the refractory time apart."""
    if not tops.size:
        return tops
    magnitude = np.sqrt((beating[usable] ** 2).sum(axis=0))
    reach = round(0.08 * rate)
    peaks: list[int] = []
    for top in tops:
        first = max(0, int(top) - reach)
        peak = first + int(np.argmax(magnitude[first : int(top) + reach + 1]))
        if not peaks or peak - peaks[-1] > 0.15 * rate:
            peaks.append(peak)
    return np.array(peaks, np.intp)
