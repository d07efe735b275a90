"""The rows of numbers that six chest leads make: what a lead's scale changes, and what it does not."""

import numpy as np

from ecg.measures.chest_profiles import OWN_QUANTITIES, QUANTITIES, profiles

RATE = 500
NAMES = (*QUANTITIES, *OWN_QUANTITIES)


def wave(at_ms: float, width_ms: float, samples: int) -> np.ndarray:
    return np.exp(-(((np.arange(samples) * 1000 / RATE - at_ms) / width_ms) ** 2))


def rows(scales: np.ndarray, q_mv: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of a QRS with a growing R, a fading S and Q as deep as *q_mv*, and a T wave, times *scales*."""
    r_mv, s_mv = np.linspace(0.4, 2.0, 6), np.linspace(2.0, 0.4, 6)
    qrs = r_mv[:, None] * wave(40, 8, 50) - s_mv[:, None] * wave(65, 8, 50) - q_mv[:, None] * wave(15, 6, 50)
    after = np.linspace(1.0, 0.4, 6)[:, None] * wave(180, 50, 150)
    found = profiles(qrs * scales[:, None], after * scales[:, None], np.zeros((6, 0)), RATE)
    return dict(zip(NAMES, found, strict=True))


def test_what_a_lead_is_by_itself_and_the_share_of_q_hardly_change_with_its_scale():
    plain = rows(np.ones(6), np.full(6, 0.2))
    stretched = rows(np.array([0.8, 1.5, 0.7, 1.2, 2.0, 0.9]), np.full(6, 0.2))
    for name in ("q", "balance", *OWN_QUANTITIES):
        assert np.allclose(plain[name], stretched[name], rtol=0.05, atol=0.03), name
    assert not np.allclose(plain["r"], stretched["r"], atol=0.2)


def test_q_is_what_points_down_before_r_and_not_behind_it():
    assert np.allclose(rows(np.ones(6), np.zeros(6))["q"], 0, atol=0.01)
    assert np.all(np.diff(rows(np.ones(6), np.linspace(0, 0.5, 6))["q"]) > 0.02)
