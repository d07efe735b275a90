"""Electrodes moved on a drawn heart: the hint names them, and says nothing where they sit right."""

import numpy as np
import pytest

from ecg.leads import TWELVE
from ecg.pipeline import analyse
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise

HINTS = {"arm-electrodes-swapped", "right-arm-left-leg-swapped", "right-leg-electrode-misplaced", "dextrocardia"}
#: What I, II, III, aVR, aVL, aVF show when two electrodes change places (row, sign).
SWAPS = {
    "arm-electrodes-swapped": ((0, -1), (2, 1), (1, 1), (4, 1), (3, 1), (5, 1)),
    "right-arm-left-leg-swapped": ((2, -1), (1, -1), (0, -1), (5, 1), (4, 1), (3, 1)),
}


def hints(samples: np.ndarray) -> set[str]:
    return HINTS & {statement.code for statement in analyse(Recording("t", TWELVE, 500, samples)).statements}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("swap", SWAPS)
def test_swapped_electrodes_are_named(swap: str, seed: int):
    samples = synthesise("normal", seed=seed).millivolts
    limb = np.stack([sign * samples[row] for row, sign in SWAPS[swap]])
    assert hints(np.concatenate([limb, samples[6:]])) == {swap}


@pytest.mark.parametrize("kind", ["normal", "atrial-fibrillation", "inferior-st-elevation"])
def test_electrodes_in_their_places_raise_no_hint(kind: str):
    assert hints(np.array(synthesise(kind, seed=1).millivolts)) == set()
