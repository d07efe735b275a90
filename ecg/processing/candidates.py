"""What may be a beat, and what speaks for it: tops of the spatial velocity, each described by numbers without a unit.

The description holds for every sampling rate, gain and number of leads. Half of it depends on which other tops are believed to
be beats, so that it can be asked again when more is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.processing.filters import Spectrum, moving_maximum, moving_mean
from ecg.processing.order import median, percentiles

Samples = NDArray[np.intp]
Mask = NDArray[np.bool_]
Row = NDArray[np.float64]

BAND_HZ = (6.0, 32.0)
ENOUGH_HZ = 240.0  # for this band: twice as many samples are halved
WINDOW_S = 0.09  # the velocity is averaged over about one QRS
BLOCK_S = 2.0  # holds a beat at 31/min and faster
FLOOR_MV_S = 1.5  # no ventricle is slower; noise of a good electrode stays below
APART_S = 0.18  # no two tops are nearer
SMALLEST = 0.06  # of the local reference
SHAPE_S, SLACK_S = 0.08, 0.016  # half a shape, and how far two shapes are shifted against each other
NEIGHBOURS = 10  # tops on each side are compared
NEAR_S = 0.36  # where a T wave would stand
FAR = 2.5  # intervals beyond so many usual ones are all alike


@dataclass(frozen=True, eq=False)
class Candidates:
    """Tops at ``at`` (samples), their heights over the local reference, what is known of each alone and of pairs.

    ``alone`` is (tops, numbers). ``alike`` is (tops, 2 * NEIGHBOURS): the correlation with the tops before (nearest first) and
    after; -1 beyond the ends.
    """

    at: Samples
    height: Row
    alone: NDArray[np.float64]
    alike: NDArray[np.float64]
    rate: float
    contrast: float

    def described(self, believed: Mask) -> NDArray[np.float64]:
        """Return (tops, numbers): what speaks for each top when the *believed* others are beats."""
        count, logs = self.at.size, np.log(self.height)
        sure = np.flatnonzero(believed)
        if not sure.size:
            sure = np.array([int(np.argmax(self.height))])
        times = self.at / self.rate
        usual = _usual_interval(times, sure)
        place = np.searchsorted(sure, np.arange(count))
        before = np.where(place > 0, sure[np.maximum(place - 1, 0)], -1)
        following = place + (sure[np.minimum(place, sure.size - 1)] == np.arange(count))
        after = np.where(following < sure.size, sure[np.minimum(following, sure.size - 1)], -1)
        since = np.where(before >= 0, times - times[before], FAR * usual)
        until = np.where(after >= 0, times[after] - times, FAR * usual)
        middle = _around(logs, sure, np.arange(count))
        believed_alike = np.where(self._neighbours(believed), self.alike, -1.0)
        ordered = np.sort(believed_alike, axis=1)[:, ::-1]
        return np.column_stack([
            self.alone,
            logs - middle,
            logs - np.where(before >= 0, logs[before], middle),
            logs - np.where(after >= 0, logs[after], middle),
            np.minimum(since / usual, FAR), np.minimum(until / usual, FAR),
            np.minimum(since, 2.0), np.minimum(until, 2.0),
            np.minimum((since + until) / usual, 2 * FAR),
            ordered[:, 0], ordered[:, 2], np.maximum(ordered[:, :6], 0).mean(axis=1),
            usual,
        ])  # fmt: skip

    def _neighbours(self, of: Mask) -> Mask:
        """Return *of* seen from every top as ``alike`` is: (tops, 2 * NEIGHBOURS)."""
        none = np.zeros(NEIGHBOURS, np.bool_)
        padded = np.concatenate([none, of, none])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
        return np.concatenate([windows[:, NEIGHBOURS - 1 :: -1], windows[:, NEIGHBOURS + 1 :]], axis=1)


def _around(values: Row, sure: Samples, of: Samples) -> Row:
    """Return for each of *of* the median of *values* over the nine *sure* ones around it."""
    result: Row = _nine(values[sure])[np.minimum(np.searchsorted(sure, of), sure.size - 1)]
    return result


def _nine(values: Row) -> Row:
    """Return for each value the median of the nine around it; the ends are held."""
    held = np.concatenate([np.full(4, values[0]), values, np.full(4, values[-1])])
    return median(np.lib.stride_tricks.sliding_window_view(held, 9))


def _usual_interval(times: Row, sure: Samples) -> Row:
    """Return for every top the median interval (seconds, 0.25 to 2) between the believed ones around it."""
    gaps = np.diff(times[sure])
    if not gaps.size:
        return np.full(times.size, 0.8)
    place = np.clip(np.searchsorted(sure, np.arange(times.size)) - 1, 0, gaps.size - 1)
    return np.clip(_nine(gaps)[place], 0.25, 2.0)


def _reference(feature: Row, rate: float) -> Row:
    """Return, for every sample (or row of samples), the median of the greatest values of the blocks within five seconds."""
    highest = moving_maximum(feature, round(BLOCK_S * rate))
    step = max(1, round(0.25 * rate))
    coarse = highest[step // 2 :: step]
    half = min(20, coarse.size)
    padded = np.pad(coarse, half, mode="reflect" if coarse.size > half else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    local = median(windows)
    return np.asarray(np.interp(np.arange(feature.size), np.arange(coarse.size) * step + step // 2, local))


def candidates(transform: Spectrum, usable: Mask) -> Candidates | None:
    """Return the tops of the spatial velocity over the *usable* leads, or None when there are none."""
    halvings = int(transform.rate >= 2 * ENOUGH_HZ)
    rate = transform.rate / 2**halvings
    gain = transform.band(*BAND_HZ) * transform.without_mains() * (2 * np.pi * transform.frequencies_hz)
    slopes = transform.thinned(1j * gain, halvings)[usable]  # in mV/s
    power = moving_mean(slopes**2, round(WINDOW_S * rate))
    thinned = power[:, :: max(1, round(0.01 * rate))]
    usual, level, high = percentiles(thinned, 50, 96, 97)
    contrast = np.sqrt(high / (usual + 1e-9))
    weight = np.clip((contrast - 1.5) / 6, 0.02, 1.0) ** 2
    feature = np.sqrt(np.maximum((power * weight[:, None]).sum(axis=0) / weight.sum(), 0))
    reference = np.maximum(_reference(feature, rate), FLOOR_MV_S)
    tops = np.flatnonzero((feature == moving_maximum(feature, round(APART_S * rate))) & (feature > SMALLEST * reference))
    if not tops.size:
        return None
    height = feature[tops] / reference[tops]
    of_leads = np.sqrt(np.maximum(power[:, tops], 0)) / (np.sqrt(level)[:, None] + 1e-9)
    alone = _alone(feature, reference, of_leads, tops, rate)
    alike = _alike(slopes * np.sqrt(weight)[:, None], tops, rate)
    return Candidates(tops << halvings, height, alone, alike, transform.rate, float(median(reference) / (median(feature) + 1e-9)))


def _alone(feature: Row, reference: Row, of_leads: NDArray[np.float64], tops: Samples, rate: float) -> NDArray[np.float64]:
    """Return (tops, numbers): height, floor around, valleys, width, and how the leads agree (*of_leads* over their usual)."""
    last = feature.size - 1
    height = feature[tops]
    floor_ = moving_mean(np.minimum(feature, 0.5 * reference), round(1.5 * rate))[tops]

    def reach(from_s: float, to_s: float) -> NDArray[np.float64]:
        columns = np.clip(tops[:, None] + np.arange(round(from_s * rate), round(to_s * rate) + 1)[None, :], 0, last)
        piece: NDArray[np.float64] = feature[columns]
        return piece

    wide = reach(-0.12, 0.12)
    left, right = reach(-NEAR_S, -0.12).max(axis=1), reach(0.12, NEAR_S).max(axis=1)
    shares = np.sort(of_leads, axis=0)
    edge = np.minimum(tops, last - tops) / rate
    return np.column_stack([
        np.log(height / reference[tops]),
        np.log(floor_ / height + 0.01),
        np.log(left / height + 0.01), np.log(right / height + 0.01),
        reach(-0.12, 0.0).min(axis=1) / height, reach(0.0, 0.12).min(axis=1) / height,
        (wide > 0.5 * height[:, None]).mean(axis=1),
        np.log(median(shares, axis=0) + 0.01), np.log(shares[-1] + 0.01), np.log(shares[0] + 0.01),
        np.minimum(edge, 0.5),
    ])  # fmt: skip


def _alike(slopes: NDArray[np.float64], tops: Samples, rate: float) -> NDArray[np.float64]:
    """Return the correlation of the slopes around every top with those around its neighbours, as `Candidates.alike`."""
    step = max(1, round(rate / 250))
    half, slack = round(SHAPE_S * rate / step), max(1, round(SLACK_S * rate / step))
    thin = slopes[:, ::step]
    columns = np.clip(tops[:, None] // step + np.arange(-half - slack, half + slack + 1)[None, :], 0, thin.shape[1] - 1)
    wide = np.moveaxis(thin[:, columns], 0, 1)
    # (tops, shifts, numbers): every top's leads one behind the other, once for each shift
    shifted = (
        np.lib.stride_tricks.sliding_window_view(wide, 2 * half + 1, axis=2).swapaxes(1, 2).reshape(tops.size, 2 * slack + 1, -1)
    )
    norms = np.sqrt(np.einsum("nsd,nsd->ns", shifted, shifted)) + 1e-9
    core = np.zeros((tops.size + NEIGHBOURS, shifted.shape[2]))
    core[: tops.size] = shifted[:, slack] / norms[:, slack, None]
    following = np.lib.stride_tricks.sliding_window_view(core, NEIGHBOURS, axis=0)[1:]
    scores = ((shifted @ following) / norms[:, :, None]).max(axis=1)
    result = np.full((tops.size, 2 * NEIGHBOURS), -1.0)
    for away in range(1, min(NEIGHBOURS, tops.size - 1) + 1):
        result[away:, away - 1] = result[:-away, NEIGHBOURS + away - 1] = scores[:-away, away - 1]
    return result
