"""Leads that were each put on a scale of their own are recognised by the laws of the limb leads; noise is not taken for it."""

from dataclasses import replace

import numpy as np
import pytest

from ecg.measures.placement import Segments
from ecg.pipeline import found_in
from ecg.processing.preparation import parts
from sample_data.ecg_synthesis import synthesise


def segments(scales: np.ndarray, noise_mv: float = 0.0, seed: int = 1) -> Segments:
    """Return the segments of a drawn heart with every lead's voltages times *scales*."""
    recording = synthesise("normal", seed=seed)
    noise = np.random.default_rng(seed).normal(0, noise_mv, recording.millivolts.shape)
    changed = replace(recording, millivolts=(recording.millivolts + noise) * scales[:, None], resolution_mv=None)
    found = found_in(changed, next(parts(changed))).segments
    assert found is not None
    return found


def one_height(seed: int) -> np.ndarray:
    """Return what makes every lead as high as the others."""
    return 1 / np.ptp(synthesise("normal", seed=seed).millivolts, axis=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_leads_brought_to_one_height_are_recognised(seed: int):
    assert segments(one_height(seed), seed=seed).stretched


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("noise_mv", [0.0, 0.01, 0.03])
def test_leads_at_one_scale_are_not_however_noisy(scale: float, noise_mv: float):
    assert not segments(np.full(12, scale), noise_mv).stretched


def test_limb_leads_that_keep_einthovens_law_by_chance_are_recognised_by_the_augmented_ones():
    scales = np.ones(12)
    scales[3:6] = 0.6, 1.5, 0.7
    assert segments(scales).stretched
