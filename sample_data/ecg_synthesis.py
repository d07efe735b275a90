"""Twelve-lead ECGs made from nothing: a heart vector as a sum of Gaussians, projected to the leads by Dower's matrix.

The same kind and seed give the same samples on every machine. No person's recording went into it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ecg.leads import TWELVE
from ecg.recording import PatientTags, Recording

Array = NDArray[np.float64]

#: X to the left, Y to the feet, Z to the back (Edenbrandt and Pahlm 1988): I, II, V1..V6.
DOWER = np.array(
    [
        (0.632, -0.235, 0.059),
        (0.235, 1.066, -0.132),
        (-0.515, 0.157, -0.917),
        (0.044, 0.164, -1.387),
        (0.882, 0.098, -1.277),
        (1.213, 0.127, -0.601),
        (1.125, 0.127, -0.086),
        (0.831, 0.076, 0.230),
    ]
)

RESOLUTION_MV = 0.001


@dataclass(frozen=True)
class Wave:
    """One Gaussian of the heart vector: its middle and width (one sigma) in seconds from the R peak, its vector in millivolts."""

    at_s: float
    sigma_s: float
    vector: tuple[float, float, float]


ATRIUM = (Wave(-0.172, 0.016, (0.05, 0.08, -0.05)), Wave(-0.148, 0.018, (0.06, 0.06, 0.05)))
VENTRICLES = (
    Wave(-0.024, 0.007, (-0.12, -0.05, -0.28)),
    Wave(-0.002, 0.010, (0.95, 0.80, 0.10)),
    Wave(0.020, 0.009, (-0.05, -0.15, 0.62)),
)
RECOVERY = (Wave(0.215, 0.045, (0.10, 0.09, -0.09)), Wave(0.265, 0.034, (0.20, 0.18, -0.13)))
#: A pacemaker low in the ventricles: slow, wide, its recovery turned against it.
ESCAPE = (
    Wave(-0.035, 0.020, (-0.30, -0.35, -0.20)),
    Wave(0.005, 0.024, (-0.55, -0.90, 0.55)),
    Wave(0.050, 0.022, (0.15, -0.25, 0.30)),
)
ESCAPE_RECOVERY = (Wave(0.270, 0.055, (0.15, 0.22, -0.12)), Wave(0.335, 0.042, (0.20, 0.26, -0.15)))
INFERIOR_INJURY = (-0.06, 0.28, 0.02)


def _sum(times: Array, beats: Array, waves: tuple[Wave, ...], strength: Array | None = None) -> Array:
    """Return the heart vector (3, samples) of *waves* at every one of *beats* (seconds)."""
    vector = np.zeros((3, times.size))
    for number, beat in enumerate(beats):
        factor = 1.0 if strength is None else strength[number]
        for wave in waves:
            first, last = np.searchsorted(times, (beat + wave.at_s - 5 * wave.sigma_s, beat + wave.at_s + 5 * wave.sigma_s))
            bell = np.exp(-0.5 * ((times[first:last] - beat - wave.at_s) / wave.sigma_s) ** 2)
            vector[:, first:last] += factor * np.outer(wave.vector, bell)
    return vector


def _regular(seconds: float, interval_s: float, spread: float, chance: Generator, first_s: float = 0.4) -> Array:
    """Return beats every *interval_s*, breathing and varying by the share *spread*."""
    beats, now, number = [], first_s, 0
    while now < seconds + 0.3:
        beats.append(now)
        now += interval_s * (1 + spread * np.sin(2 * np.pi * number / 5) + spread / 2 * chance.standard_normal())
        number += 1
    return np.array(beats)


def _sinus(times: Array, chance: Generator) -> Array:
    beats = _regular(times[-1], 0.84, 0.02, chance)
    strength = 1 + 0.03 * np.sin(2 * np.pi * beats / 4.1)
    return _sum(times, beats, ATRIUM) + _sum(times, beats, VENTRICLES, strength) + _sum(times, beats, RECOVERY)


def _fibrillation(times: Array, chance: Generator) -> Array:
    beats, now = [], 0.3
    while now < times[-1] + 0.3:
        beats.append(now)
        now += max(0.36, 0.60 * float(np.exp(0.24 * chance.standard_normal())))
    at = np.array(beats)
    waves = np.zeros((3, times.size))
    for base, share in ((5.4, 1.0), (6.6, 0.7), (7.6, 0.4)):
        wander = 0.35 * np.cumsum(chance.standard_normal(times.size)) / np.sqrt(times.size) * 6
        phase = 2 * np.pi * base * times + wander + chance.uniform(0, 2 * np.pi)
        waves += share * np.outer((0.010, 0.025, -0.045), np.sin(phase))
    return waves + _sum(times, at, VENTRICLES) + 0.8 * _sum(times, at, RECOVERY)


def _inferior_injury(times: Array, chance: Generator) -> Array:
    beats = _regular(times[-1], 0.76, 0.015, chance)
    vector = _sum(times, beats, ATRIUM) + _sum(times, beats, VENTRICLES) + _sum(times, beats, RECOVERY)
    for beat in beats:
        rise, fall = np.tanh((times - beat - 0.028) / 0.008), np.tanh((times - beat - 0.285) / 0.040)
        vector += np.outer(INFERIOR_INJURY, (1 + rise) * (1 - fall) / 4)
    return vector


def _complete_block(times: Array, chance: Generator) -> Array:
    atria = _regular(times[-1], 60 / 80, 0.012, chance, first_s=0.35)
    escapes = _regular(times[-1], 60 / 32, 0.003, chance, first_s=0.9)
    return 1.3 * _sum(times, atria, ATRIUM) + _sum(times, escapes, ESCAPE) + _sum(times, escapes, ESCAPE_RECOVERY)


#: Every kind and the heart vector it is made of.
HEARTS: dict[str, Callable[[Array, Generator], Array]] = {
    "normal": _sinus,
    "atrial-fibrillation": _fibrillation,
    "inferior-st-elevation": _inferior_injury,
    "complete-av-block": _complete_block,
    "noisy-leads": _sinus,
}

KINDS = tuple(HEARTS)


def synthesise(kind: str, *, seed: int, seconds: float = 10, rate: float = 500) -> Recording:
    """Return a recording of one of `KINDS`, 1 microvolt to a step, with the small noise of a good electrode.

    "noisy-leads": V3 is off, V5 carries mains and muscle, II a wandering baseline. ``KeyError`` for an unknown kind.
    """
    chance = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    eight = DOWER @ HEARTS[kind](times, chance)
    drift = np.stack([np.sin(2 * np.pi * (0.21 + 0.02 * row) * times + chance.uniform(0, 6.28)) for row in range(8)])
    eight += 0.02 * drift + 0.004 * chance.standard_normal(eight.shape)
    if kind == "noisy-leads":
        eight[1] += 0.6 * np.sin(2 * np.pi * 0.31 * times) + 0.3 * np.sin(2 * np.pi * 0.12 * times + 1)
        eight[6] += 0.35 * np.sin(2 * np.pi * 50 * times) + 0.15 * chance.standard_normal(times.size)
        eight[4] = 0.0
    one, two = eight[0], eight[1]
    limb = np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2])
    millivolts = np.rint(np.concatenate([limb, eight[2:]]) / RESOLUTION_MV) * RESOLUTION_MV
    return Recording(
        format="synthetic",
        leads=TWELVE,
        sampling_frequency_hz=rate,
        millivolts=millivolts,
        resolution_mv=(RESOLUTION_MV,) * len(TWELVE),
        patient=PatientTags(),
    )
