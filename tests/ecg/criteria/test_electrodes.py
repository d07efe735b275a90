"""Electrodes moved on a drawn heart: the hint names them, and says nothing where they sit right."""

import numpy as np
import pytest

from ecg.leads import TWELVE
from ecg.measures.chest_order import ORDERS
from ecg.measures.placement import ARRANGEMENTS
from ecg.pipeline import analyse
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise

#: What I, II, III, aVR, aVL, aVF show when electrodes change places (row, sign).
SWAPS = {
    "arm-electrodes-swapped": ((0, -1), (2, 1), (1, 1), (4, 1), (3, 1), (5, 1)),
    "right-arm-left-leg-swapped": ((2, -1), (1, -1), (0, -1), (5, 1), (4, 1), (3, 1)),
    "left-arm-left-leg-swapped": ((1, 1), (0, 1), (2, -1), (3, 1), (5, 1), (4, 1)),
    "limb-electrodes-rotated": ((2, 1), (0, -1), (1, -1), (4, 1), (5, 1), (3, 1)),
}
HINTS = {*SWAPS, "chest-electrodes-swapped", "right-leg-electrode-misplaced", "dextrocardia"}


def hints(samples: np.ndarray) -> set[str]:
    return HINTS & {statement.code for statement in analyse(Recording("t", TWELVE, 500, samples)).statements}


def swapped(swap: str, seed: int) -> np.ndarray:
    samples = synthesise("normal", seed=seed).millivolts
    return np.concatenate([np.stack([sign * samples[row] for row, sign in SWAPS[swap]]), samples[6:]])


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("swap", ["arm-electrodes-swapped", "right-arm-left-leg-swapped"])
def test_two_swapped_electrodes_are_named(swap: str, seed: int):
    assert hints(swapped(swap, seed)) == {swap}


def test_limbs_exchanged_in_turn_raise_a_hint():
    assert hints(swapped("limb-electrodes-rotated", 1)) & {*SWAPS}


@pytest.mark.parametrize("swap", SWAPS)
def test_what_is_undone_for_an_arrangement_is_what_its_swap_did(swap: str):
    samples = synthesise("normal", seed=1).millivolts
    frontal = np.array([[1.0, 0.0], [-1 / np.sqrt(3), 2 / np.sqrt(3)]])
    recorded = frontal @ swapped(swap, 1)[:2]
    assert np.allclose(ARRANGEMENTS[swap] @ recorded, frontal @ samples[:2], atol=0.01)


@pytest.mark.parametrize("electrodes", [each for each in ORDERS if each])
def test_chest_electrodes_out_of_order_are_named_and_the_limbs_are_not_blamed(electrodes: tuple[str, ...]):
    samples = np.array(synthesise("normal", seed=1).millivolts)
    samples[6:] = samples[6:][list(ORDERS[electrodes])]
    said = {statement.code: statement for statement in analyse(Recording("t", TWELVE, 500, samples)).statements}
    assert HINTS & set(said) == {"chest-electrodes-swapped"}
    assert said["chest-electrodes-swapped"].evidence["electrodes"] == list(electrodes)
    assert said["chest-electrodes-swapped"].text.en.endswith(f"({', '.join(electrodes)})")


@pytest.mark.parametrize("kind", ["normal", "atrial-fibrillation", "inferior-st-elevation"])
def test_electrodes_in_their_places_raise_no_hint(kind: str):
    assert hints(np.array(synthesise(kind, seed=1).millivolts)) == set()
