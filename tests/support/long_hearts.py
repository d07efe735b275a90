"""Long recordings drawn beat by beat, so that what is in them is known."""

from collections.abc import Sequence

import numpy as np

from ecg.leads import lead_named
from ecg.recording import Recording

Beat = tuple[str, float]  # its class, and the seconds since the beat before

#: Class -> middle and width in seconds from R, and millivolts: (P,) QRS, T.
WAVES = {
    "N": ((-0.16, 0.022, 0.15), (-0.025, 0.008, -0.10), (0.0, 0.012, 1.2), (0.03, 0.010, -0.25), (0.27, 0.045, 0.30)),
    "F": ((-0.025, 0.008, -0.10), (0.0, 0.012, 1.2), (0.03, 0.010, -0.25), (0.27, 0.045, 0.30)),  # fibrillation: no P
    "V": ((-0.03, 0.030, -0.5), (0.03, 0.030, 1.6), (0.10, 0.025, -0.6), (0.33, 0.060, -0.45)),
}
LEAD_GAINS = (1.0, 0.6, -0.7)


def heart(
    beats: Sequence[Beat], *, rate: float = 250, leads: int = 2, seed: int = 1, noise_mv: float = 0.01, st_mv: float = 0.0
) -> Recording:
    """Return a recording of *beats*; *st_mv* lifts the segment between QRS and T of every beat."""
    at = np.cumsum([since for _, since in beats]) + 0.5
    samples = round((at[-1] + 1) * rate)
    line = np.zeros(samples)
    for (kind, _), place in zip(beats, at, strict=True):
        first = max(0, round((place - 0.4) * rate))
        times = np.arange(first, min(samples, round((place + 0.7) * rate))) / rate - place
        line[first : first + times.size] += sum(mv * np.exp(-0.5 * ((times - mid) / wide) ** 2) for mid, wide, mv in WAVES[kind])
        line[first : first + times.size] += st_mv / (1 + np.exp(-(times - 0.06) / 0.006)) / (1 + np.exp((times - 0.30) / 0.02))
    chance = np.random.default_rng(seed)
    rows = np.outer(LEAD_GAINS[:leads], line) + chance.normal(0, noise_mv, (leads, samples))
    names = tuple(map(lead_named, ("II", "V5", "V1")[:leads]))
    return Recording("t", names, rate, np.round(rows, 3), resolution_mv=(0.001,) * leads)


def sinus(seconds: float, *, interval_s: float = 0.8, seed: int = 1) -> list[Beat]:
    """Return normal beats that breathe a little."""
    count = round(seconds / interval_s)
    sway = 0.02 * np.sin(np.arange(count) / 3) + np.random.default_rng(seed).normal(0, 0.005, count)
    return [("N", float(interval_s + each)) for each in sway]


def fibrillation(seconds: float, *, seed: int = 2) -> list[Beat]:
    """Return beats without P at intervals without order, 85 a minute on average."""
    count = round(seconds / 0.7)
    return [("F", float(each)) for each in np.random.default_rng(seed).uniform(0.42, 0.98, count)]
