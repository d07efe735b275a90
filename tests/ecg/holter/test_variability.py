import numpy as np
import pytest
from support.long_hearts import fibrillation, heart, sinus

from ecg.formats.streams import of_recording
from ecg.holter.analyser import analyse
from ecg.holter.variability import normal_intervals, variability


def test_neurokit_agrees_with_the_plain_formulas():
    table = analyse(of_recording(heart([*sinus(330), ("V", 0.5), ("N", 1.1), *sinus(60)])), with_variability=False).table
    found = variability(table)
    assert found is not None
    nn, at_ms = normal_intervals(table)
    assert found.nn_intervals == nn.size
    assert found.sdnn_ms == pytest.approx(float(np.std(nn, ddof=1)), rel=1e-6)
    following = np.isclose(np.diff(at_ms), nn[1:], atol=1)  # two intervals that share a beat
    assert found.rmssd_ms == pytest.approx(float(np.sqrt(np.mean(np.diff(nn)[following] ** 2))), rel=0.02)
    assert found.pnn50_percent == pytest.approx(100 * float(np.mean(np.abs(np.diff(nn)[following]) > 50)), abs=1)
    assert found.mean_nn_ms == pytest.approx(800, abs=3)
    assert 0 < found.excluded_share < 0.02


def test_the_breath_that_was_put_in_stands_in_its_band():
    """Twenty milliseconds of sway every nineteenth beat, 0.066 Hz: low frequency, of half its square."""
    found = variability(analyse(of_recording(heart(sinus(320))), with_variability=False).table)
    assert found is not None
    assert found.segments == 1
    assert found.lf_ms2 is not None
    assert found.hf_ms2 is not None
    assert 60 < found.lf_ms2 < 300
    assert found.hf_ms2 < found.lf_ms2


def test_fibrillation_has_no_variability():
    assert variability(analyse(of_recording(heart(fibrillation(320))), with_variability=False).table) is None
