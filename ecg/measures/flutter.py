"""Flutter waves: whether the leads, the QRS left out, repeat all the time with one and the same short period."""

import numpy as np
from numpy.typing import NDArray

from ecg.processing.candidates import ENOUGH_HZ, Samples
from ecg.processing.filters import Spectrum

BAND_HZ = (3.0, 12.0)
QRS_S = (-0.06, 0.10)  # around the R peak, left out
PERIOD_S = (0.17, 0.32)  # 190 to 350 a minute
LEADS, AGREED = 4, 0.06  # so many leads, at rates this near to each other
PERIODIC = 0.75  # correlation after one to four periods over that after half periods
SLACK_S = 0.006


def flutter_rate(transform: Spectrum, peaks: Samples, usable: NDArray[np.bool_]) -> float | None:
    """Return the rate of flutter waves per minute, or None where `LEADS` leads do not agree on one.

    The correlation is taken over pairs of samples of which neither lies in a QRS.
    """
    halvings = int(transform.rate >= 2 * ENOUGH_HZ)
    rate = transform.rate / 2**halvings
    waves = transform.thinned(transform.band(*BAND_HZ), halvings)[usable]
    samples = waves.shape[1]
    if len(waves) < LEADS or samples < 8 * PERIOD_S[1] * rate:
        return None
    open_ = np.ones(samples)
    for peak in peaks >> halvings:
        open_[max(0, peak + round(QRS_S[0] * rate)) : max(0, peak + round(QRS_S[1] * rate))] = 0.0
    waves *= open_
    longest = round(4 * PERIOD_S[1] * rate) + 16
    length = samples + longest
    of_waves, of_open = np.fft.rfft(waves, length, axis=1), np.fft.rfft(open_, length)
    of_energy = np.fft.rfft(waves**2, length, axis=1)
    products = np.fft.irfft(np.abs(of_waves) ** 2, length, axis=1)[:, :longest]
    before = np.fft.irfft(of_energy * np.conj(of_open), length, axis=1)[:, :longest]
    after = np.fft.irfft(np.conj(of_energy) * of_open, length, axis=1)[:, :longest]
    alike = products / np.sqrt(np.maximum(before * after, 1e-12))
    found = sorted((_periodicity(row, rate) for row in alike), reverse=True)[:LEADS]
    rates = [per_minute for _, per_minute in found]
    agreed = max(rates) - min(rates) <= AGREED * float(np.mean(rates))
    return float(np.median(rates)) if agreed and found[-1][0] >= PERIODIC else None


def _periodicity(alike: NDArray[np.float64], rate: float) -> tuple[float, float]:
    """Return how periodic a lead's autocorrelation is, and the rate per minute."""
    low, high = round(PERIOD_S[0] * rate), round(PERIOD_S[1] * rate)
    period = low + int(np.argmax(alike[low:high]))
    if period in (low, high - 1):
        return 0.0, 0.0
    slack = max(1, round(SLACK_S * rate))
    near = [alike[round(times * period) - slack : round(times * period) + slack + 1] for times in (1, 2, 3, 4, 0.5, 1.5, 2.5)]
    return float(min(piece.max() for piece in near[:4]) - max(piece.min() for piece in near[4:])), 60 * rate / period
