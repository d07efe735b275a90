"""Flutter waves drawn behind a real beat's places."""

import numpy as np
import pytest

from ecg.measures.flutter import flutter_rate
from ecg.processing.filters import spectrum

RATE = 500
TIMES = np.arange(10 * RATE) / RATE
PEAKS = np.arange(200, 4900, 460)


def leads(waves: np.ndarray) -> np.ndarray:
    drawn = sum(np.exp(-(((TIMES * RATE - peak) / 8) ** 2)) for peak in PEAKS)
    return np.stack([gain * waves + drawn for gain in (1.0, 0.8, -0.6, 0.5, 0.9)]) + np.random.default_rng(2).normal(
        0, 0.01, (5, TIMES.size)
    )


@pytest.mark.parametrize("per_minute", [230, 280, 320])
def test_saw_teeth_in_the_leads_are_counted(per_minute: int):
    found = flutter_rate(spectrum(leads(0.15 * np.sin(2 * np.pi * per_minute / 60 * TIMES)), RATE), PEAKS, np.ones(5, bool))
    assert found == pytest.approx(per_minute, rel=0.04)


def test_where_nothing_flutters_there_is_no_rate():
    assert flutter_rate(spectrum(leads(0 * TIMES), RATE), PEAKS, np.ones(5, bool)) is None


def test_noise_of_a_similar_frequency_is_no_flutter():
    noise = np.convolve(np.random.default_rng(3).normal(0, 0.1, TIMES.size), np.hanning(60), "same") / 4
    assert flutter_rate(spectrum(leads(noise), RATE), PEAKS, np.ones(5, bool)) is None
