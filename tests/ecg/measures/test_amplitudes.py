"""Voltages of one drawn beat."""

import numpy as np
import pytest

from ecg.measures.amplitudes import amplitudes

RATE, BEFORE = 500.0, 225


def beat(*waves: tuple[float, float, float]) -> np.ndarray:
    """Return a beat of bells (place in ms from the R peak, millivolts, width in ms)."""
    times = (np.arange(550) - BEFORE) * 2.0
    return sum(height * np.exp(-(((times - at) / width) ** 2)) for at, height, width in waves)


AT = {"p_on": -95, "p_peak": -75, "p_off": -55, "qrs_on": -25, "qrs_off": 30, "t_on": 100, "t_peak": 150, "t_off": 190}


def test_q_r_s_and_t_are_measured_from_the_level_before_the_qrs():
    lead = beat((-26, -0.2, 8), (0, 1.2, 10), (30, -0.4, 9), (300, 0.3, 40), (-150, 0.12, 20)) + 0.7
    found = amplitudes(lead, AT, BEFORE, RATE)
    assert found is not None
    assert found.q_mv == pytest.approx(-0.2, abs=0.03)
    assert found.r_mv == pytest.approx(1.2, abs=0.05)
    assert found.s_mv == pytest.approx(-0.4, abs=0.05)
    assert (found.t_mv, found.p_mv, found.r2_mv) == (pytest.approx(0.3, abs=0.03), pytest.approx(0.12, abs=0.02), 0.0)


def test_a_second_higher_top_is_r_prime():
    found = amplitudes(beat((-26, 0.3, 9), (0, -0.5, 9), (32, 0.8, 11)), AT, BEFORE, RATE)
    assert found is not None
    assert found.r_mv == pytest.approx(0.3, abs=0.08)
    assert found.r2_mv == pytest.approx(0.8, abs=0.05)
    assert found.s_mv == pytest.approx(-0.5, abs=0.1)


def test_a_qs_complex_has_no_r():
    found = amplitudes(beat((0, -1.0, 15)), AT, BEFORE, RATE)
    assert found is not None
    assert (found.r_mv, found.s_mv) == (0.0, 0.0)
    assert found.q_mv == pytest.approx(-1.0, abs=0.05)


def test_without_a_qrs_nothing_is_measured():
    assert amplitudes(beat((0, 1, 10)), {}, BEFORE, RATE) is None
