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
#: Einthoven's law and Goldberger's: three limb leads and the factors by which they add up to nothing.
LAWS = (
    (("I", "III", "II"), (1.0, 1.0, -1.0)),
    (("aVR", "I", "II"), (1.0, 0.5, 0.5)),
    (("aVL", "I", "III"), (1.0, -0.5, 0.5)),
    (("aVF", "II", "III"), (1.0, -0.5, -0.5)),
)
BROKEN = 0.05  # of what the limb leads show: less is noise, or rounding
MENDED = 2.7  # times less of the laws is broken with a scale for each lead: noise is not mended so
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

    ``profiles`` are those of `ecg.measures.chest_profiles`. ``stretched`` tells that the limb leads break their laws (I and III
    make II) and keep them with a scale for each, so that the leads were not kept at one scale and their voltages cannot be
    compared.
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
    stretched = _stretched(median[:, on : off + 1], rows)
    return Segments(limb, chest.ravel(), profiles(qrs[2:], after[2:], p, rate), stretched=stretched)


def _stretched(qrs: Millivolts, rows: Mapping[str, int]) -> bool:
    """Tell whether the limb leads break their laws as they stand and keep them once each may have a scale of its own."""
    told = [([rows[name] for name in names], factors) for names, factors in LAWS if set(names) <= set(rows)]
    if not told:
        return False
    summed = qrs[[law for law, _ in told]] * np.array([factors for _, factors in told])[:, :, None]
    summed = summed - summed.mean(axis=2, keepdims=True)
    products = summed @ summed.swapaxes(1, 2)
    broken = float(products.sum()) / 3  # the scales (1, 1, 1), of which the unit vector is a root of three smaller
    scaled = float(np.linalg.eigvalsh(products)[:, 0].sum())  # the best scales of each law
    shown = float(np.trace(products, axis1=1, axis2=2).sum()) / 3
    return broken > max(BROKEN**2 * shown, MENDED**2 * scaled)


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
