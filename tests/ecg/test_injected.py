"""What is put into a drawn heart's signal is found there, and moves nothing else."""

import numpy as np
import pytest

from ecg.analysis import Analysis
from ecg.leads import TWELVE
from ecg.pipeline import analyse
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise

NORMAL = synthesise("normal", seed=1)
PLAIN = analyse(NORMAL)
PEAKS = np.array(PLAIN.r_peaks)
RATE = 500
AT = np.arange(NORMAL.millivolts.shape[1])
T = AT / RATE


def with_added(added: np.ndarray, rows: slice | list[int] = slice(None)) -> Analysis:
    samples = np.array(NORMAL.millivolts)
    samples[rows] += added
    return analyse(Recording("t", TWELVE, RATE, samples))


def assert_same_intervals(other: Analysis, within_ms: int) -> None:
    for name in ("pr_interval_ms", "qrs_duration_ms", "qt_interval_ms"):
        assert getattr(other.measurements, name) == pytest.approx(getattr(PLAIN.measurements, name), abs=within_ms), name


@pytest.mark.parametrize("lift", [-0.1, 0.08, 0.12, 0.25])
@pytest.mark.parametrize("lead", ["II", "V2"])
def test_a_shift_of_st_is_measured_to_a_hundredth_millivolt(lift: float, lead: str):
    segment = sum(
        np.clip((AT - end + 10) / 6, 0, 1) * np.clip((end + 170 - AT) / 40, 0, 1) for end in PLAIN.delineation[lead]["qrs_off"]
    )
    shifted = with_added(lift * segment, [NORMAL.names.index(lead)]).measurements.st_j_mv
    assert shifted is not None
    assert PLAIN.measurements.st_j_mv is not None
    assert shifted[lead] - PLAIN.measurements.st_j_mv[lead] == pytest.approx(lift, abs=0.01)


@pytest.mark.parametrize("mains_hz", [50.0, 50.2, 60.0])
def test_mains_are_named_and_move_nothing(mains_hz: float):
    analysis = with_added(0.2 * np.sin(2 * np.pi * mains_hz * T + np.arange(12)[:, None]))
    assert np.abs(np.array(analysis.r_peaks) - PEAKS).max() <= 2
    assert all("mains" in quality.reasons and quality.usable for quality in analysis.quality.values())
    assert_same_intervals(analysis, 8)


def test_wander_is_named_and_moves_nothing():
    analysis = with_added(1.0 * np.sin(2 * np.pi * 0.25 * T))
    assert np.abs(np.array(analysis.r_peaks) - PEAKS).max() <= 2
    assert all("baseline-wander" in quality.reasons for quality in analysis.quality.values())
    assert_same_intervals(analysis, 8)
    assert analysis.measurements.st_j_mv is not None
    assert max(abs(level) for level in analysis.measurements.st_j_mv.values()) < 0.05


@pytest.mark.parametrize("off", range(12))
def test_any_one_lead_may_be_off(off: int):
    samples = np.array(NORMAL.millivolts)
    samples[off] = 0.003
    analysis = analyse(Recording("t", TWELVE, RATE, samples))
    assert [name for name, quality in analysis.quality.items() if not quality.usable] == [TWELVE[off].name]
    assert np.abs(np.array(analysis.r_peaks) - PEAKS).max() <= 2
    assert_same_intervals(analysis, 8)


@pytest.mark.parametrize("width", [1, 2])
def test_pacing_spikes_are_no_beats_and_their_beats_are_paced(width: int):
    spikes = np.zeros(AT.size)
    for peak in PEAKS:
        spikes[peak - 40 : peak - 40 + width] = 2.0
    analysis = with_added(spikes * np.where(np.arange(12) % 2, 1.0, -0.7)[:, None])
    assert len(analysis.r_peaks) == PEAKS.size
    assert np.abs(np.array(analysis.r_peaks) - PEAKS).max() <= 2
    assert set(analysis.beats) == {"P"}
    assert analysis.rhythm.code == "paced"


def test_muscle_in_one_lead_leaves_the_others_alone():
    noise = np.random.default_rng(5).normal(0, 0.4, AT.size)
    analysis = with_added(noise, [8])
    assert "noise" in analysis.quality["V3"].reasons
    assert np.abs(np.array(analysis.r_peaks) - PEAKS).max() <= 2
    assert_same_intervals(analysis, 8)
