"""Whether the limb electrodes sit where they belong: the chest leads, which no swap of limbs changes, say what to expect.

Every swap of the arms' and the left leg's electrodes turns or mirrors the frontal vector. A linear map tells from the chest leads
what this vector does during P, QRS and T; each arrangement is scored by how well the vector it would have come from agrees, and
by where hearts point at all. Map and weights are made by ``tests/training/ecg_placement.py``.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecg.measures.chest_profiles import AFTER_S, profiles
from ecg.processing.network import network
from ecg.recording import Millivolts

Numbers = NDArray[np.float64]

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
LEVEL_S = 0.016  # before the QRS, averaged to the zero
CONTRADICTING = 0.1  # I + III less II, of what the three show together: noise stays under it
PIECES = 5  # of the QRS, one behind the other; then follow the whole QRS, P and T
_WHOLE, _P, _T = PIECES, PIECES + 1, PIECES + 2
#: Segments scaled together, and what is added to their size (mV) so that a small wave counts little.
GROUPS = ((slice(0, _P), 0.1), (slice(_P, _T), 0.01), (slice(_T, _T + 1), 0.03))
FRONTAL = np.array([[1.0, 0.0], [-1 / math.sqrt(3), 2 / math.sqrt(3)]])  # (I, II) to x (left) and y (feet)


def _turned(degrees: float, *, mirrored: bool) -> Numbers:
    """Return the matrix that turns by *degrees*, after mirroring at the horizontal line when *mirrored*."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s], [s, -c]] if mirrored else [[c, -s], [s, c]])


#: Arrangement -> what takes the recorded frontal vector back to the true one.
ARRANGEMENTS = {
    "as-it-should-be": np.eye(2),
    "arm-electrodes-swapped": _turned(180, mirrored=True),
    "right-arm-left-leg-swapped": _turned(-60, mirrored=True),
    "left-arm-left-leg-swapped": _turned(60, mirrored=True),
    "limb-electrodes-rotated": _turned(120, mirrored=False),
    "limb-electrodes-rotated-back": _turned(-120, mirrored=False),
}


class Segments(NamedTuple):
    """Mean vectors of the segments, scaled: ``limb`` (segments, x and y), ``chest`` (segments times V1 to V6,).

    ``profiles`` are those of `ecg.measures.chest_profiles`. ``stretched`` tells that I and III do not add up to II, so that
    the leads were not kept at one scale and their voltages cannot be compared.
    """

    limb: Numbers
    chest: Numbers
    profiles: Numbers
    stretched: bool


def segments(median: Millivolts, rows: Mapping[str, int], whole: Mapping[str, int], before: int, rate: float) -> Segments | None:
    """Return the segments of a median beat whose marks *whole* are relative to *before*; None without the eight leads or QRS."""
    if not {"qrs_on", "qrs_off"} <= set(whole) or not set(LEADS) <= set(rows):
        return None
    leads = median[[rows[name] for name in LEADS]]
    on, off = before + whole["qrs_on"], before + whole["qrs_off"]
    level = leads[:, max(0, on - round(LEVEL_S * rate)) : on + 1].mean(axis=1, keepdims=True)
    qrs, after = leads[:, on : off + 1] - level, leads[:, off : off + round(AFTER_S * rate)] - level
    if on < 0 or qrs.shape[1] < PIECES:
        return None
    edges = [round(place * qrs.shape[1] / PIECES) for place in range(PIECES + 1)]
    pieces = [qrs[:, first:last].mean(axis=1) for first, last in pairwise(edges)]
    waves = [_mean_wave(leads, before + whole[f"{wave}_on"], before + whole[f"{wave}_off"]) if f"{wave}_on" in whole else
             np.zeros(len(LEADS)) for wave in ("p", "t")]  # fmt: skip
    means = np.stack([*pieces, qrs.mean(axis=1), *waves])
    limb, chest = means[:, :2] @ FRONTAL.T, means[:, 2:].copy()
    for group, least in GROUPS:
        for vectors in (limb, chest):
            vectors[group] /= math.sqrt(float((vectors[group] ** 2).sum())) + least
    p = leads[2:, max(0, before + whole["p_on"]) : before + whole["p_off"] + 1] if "p_on" in whole else leads[2:, :0]
    einthoven = median[[rows[name] for name in ("I", "II", "III")], on : off + 1] if "III" in rows else None
    stretched = einthoven is not None and _contradicting(einthoven)
    return Segments(limb, chest.ravel(), profiles(qrs[2:], after[2:], p, rate), stretched=stretched)


def _contradicting(leads: Numbers) -> bool:
    """Tell whether the leads I, II and III break Einthoven's law."""
    first, second, third = centred = leads - leads.mean(axis=1, keepdims=True)
    return float(((first + third - second) ** 2).sum()) > CONTRADICTING**2 * float((centred**2).sum())


def _mean_wave(leads: Millivolts, on: int, off: int) -> Numbers:
    """Return the mean over the line from the wave's beginning to its end."""
    wave = leads[:, max(0, on) : off + 1]
    mean: Numbers = wave.mean(axis=1) - (wave[:, 0] + wave[:, -1]) / 2
    return mean


def described(limb: Numbers, expected: Numbers) -> Numbers:
    """Return what speaks for frontal vectors (..., segments, 2) where *expected* are foretold: agreement, then directions."""
    x, y = limb[..., 0], limb[..., 1]
    aimed = [_WHOLE, _P, _T]
    size = np.hypot(x, y)[..., aimed] + 1e-9
    double = (x**2 - y**2)[..., aimed] / size, (2 * x * y)[..., aimed] / size
    return np.concatenate([(limb * expected).sum(axis=-1), x, y, *double], axis=-1)


def placement(found: Segments | None) -> dict[str, float]:
    """Return how much more speaks for each arrangement than for the right one (log odds); nothing where nothing is known."""
    if found is None:
        return {}
    expected = network("placement", "frontal")(found.chest[None])[0].reshape(found.limb.shape)
    turned = np.stack([found.limb @ turn.T for turn in ARRANGEMENTS.values()])
    scores = network("placement", "plausible")(described(turned, expected))[:, 0]
    return {name: float(score) for name, score in zip(ARRANGEMENTS, scores - scores[0], strict=True)}
