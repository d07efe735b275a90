import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from ecg.formats import read
from ecg.leads import TWELVE
from ecg.pipeline import analyse
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise

ROOT = Path(__file__).parents[2]
NORMAL = synthesise("normal", seed=1)
T = np.arange(5000) / 500
CHANCE = np.random.default_rng(7)

EDGES = {
    "flat": np.zeros((12, 5000)),
    "nearly flat": CHANCE.normal(0, 0.001, (12, 5000)),
    "white noise": CHANCE.normal(0, 0.3, (12, 5000)),
    "not a number": np.full((12, 5000), np.nan),
    "infinite": np.full((12, 5000), np.inf),
    "50 Hz only": np.tile(0.5 * np.sin(2 * np.pi * 50 * T), (12, 1)),
    "half missing": np.where(T < 5, NORMAL.millivolts, np.nan),
    "some infinite": np.where(CHANCE.random((12, 5000)) < 0.01, np.inf, NORMAL.millivolts),
    "one lead": NORMAL.millivolts[1:2],
    "four seconds": NORMAL.millivolts[:, :2000],
    "two seconds": NORMAL.millivolts[:, :1000],
    "a tenth of a second": NORMAL.millivolts[:, :50],
    "one sample": NORMAL.millivolts[:, :1],
    "far too large": NORMAL.millivolts * 1e9,
    "at the rails": np.clip(NORMAL.millivolts * 3, -1, 1),
    "a step": NORMAL.millivolts + np.where(T > 5, 5.0, 0.0),
    "a constant": np.full((12, 5000), 5.0),
    "a ramp": np.tile(np.linspace(-5, 5, 5000), (12, 1)),
    "spikes alone": np.where(np.arange(5000) % 400 == 0, 3.0, 0.0) * np.ones((12, 1)),
    "one lead off": np.where(np.arange(12)[:, None] == 6, 0.0, NORMAL.millivolts),
    "rails in turn": np.where(CHANCE.random((12, 5000)) < 0.5, 5.0, -5.0),
    "one beat": np.where((T > 1) & (T < 1.8), NORMAL.millivolts, 0.0),
}


def recording(samples: np.ndarray, rate: float = 500) -> Recording:
    return Recording("t", TWELVE[: len(samples)], rate, np.array(samples, float))


@pytest.mark.parametrize("edge", EDGES)
def test_no_signal_raises_and_every_null_has_its_reason(edge: str):
    begun = time.process_time()
    shown = analyse(recording(EDGES[edge])).as_json()
    assert time.process_time() - begun < 1
    json.dumps(shown, allow_nan=False)
    told = " ".join(shown["warnings"])
    for name, value in shown["measurements"].items():
        assert value is not None or name in told


@pytest.mark.parametrize("edge", ["flat", "white noise", "not a number", "infinite", "50 Hz only", "one sample", "far too large"])
def test_where_nothing_beats_nothing_is_measured(edge: str):
    shown = analyse(recording(EDGES[edge])).as_json()
    assert shown["r_peaks"] == []
    assert shown["measurements"]["heart_rate_bpm"] is None
    assert not any(quality["usable"] for quality in shown["quality"].values())
    assert shown["rhythm"]["code"] == "not-measurable"


def test_the_json_is_that_of_the_contract():
    shown = analyse(NORMAL).as_json()
    assert list(shown) == [
        "format", "sampling_frequency_hz", "duration_s", "leads", "r_peaks", "beats", "delineation", "measurements", "rhythm",
        "statements", "quality", "warnings", "device",
    ]  # fmt: skip
    assert (shown["sampling_frequency_hz"], shown["duration_s"]) == (500, 10.0)
    waves = ["p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off"]
    assert list(shown["delineation"]) == shown["leads"]
    assert all(list(of_lead) == waves for of_lead in shown["delineation"].values())
    assert list(shown["measurements"]) == [
        "heart_rate_bpm", "p_duration_ms", "pr_interval_ms", "qrs_duration_ms", "qt_interval_ms", "qtc_ms", "p_axis_deg",
        "qrs_axis_deg", "t_axis_deg", "rv5_sv1_mv", "st_j_mv",
    ]  # fmt: skip
    assert list(shown["measurements"]["qtc_ms"]) == ["bazett", "fridericia", "framingham", "hodges"]
    assert {"code", "text"} <= set(shown["rhythm"])
    assert all(list(each) == ["code", "text", "severity", "evidence", "scp", "codes"] for each in shown["statements"])
    assert all(set(each["text"]) == {"zh", "en"} for each in shown["statements"])


def test_waves_are_sorted_unique_and_in_the_order_of_a_beat():
    analysis = analyse(NORMAL)
    for waves in analysis.delineation.values():
        for places in waves.values():
            assert list(places) == sorted(set(places))
        for on, peak, off in zip(waves["t_on"], waves["t_peak"], waves["t_off"], strict=False):
            assert on < peak < off


def test_what_was_put_in_is_measured():
    m = analyse(NORMAL).measurements
    assert m.heart_rate_bpm == 71
    assert m.pr_interval_ms is not None
    assert 155 <= m.pr_interval_ms <= 180
    assert m.qrs_duration_ms is not None
    assert 80 <= m.qrs_duration_ms <= 110
    assert m.qt_interval_ms is not None
    assert 380 <= m.qt_interval_ms <= 415
    assert m.st_j_mv is not None
    assert max(abs(level) for level in m.st_j_mv.values()) < 0.02


@pytest.mark.parametrize("rate", [100, 128, 250, 360, 1000, 2000])
def test_another_rate_moves_no_beat_by_more_than_a_sample_and_8_ms(rate: int):
    peaks = np.array(analyse(NORMAL).r_peaks) / 500
    resampled = recording(np.stack([np.interp(np.arange(10 * rate) / rate, T, row) for row in NORMAL.millivolts]), rate)
    assert np.abs(np.array(analyse(resampled).r_peaks) / rate - peaks).max() <= 0.008 + 1 / rate


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_another_gain_scales_voltages_and_moves_nothing(factor: float):
    one, other = analyse(NORMAL), analyse(recording(NORMAL.millivolts * factor))
    assert np.abs(np.array(one.r_peaks) - np.array(other.r_peaks)).max() <= 1
    assert one.measurements.rv5_sv1_mv is not None
    assert other.measurements.rv5_sv1_mv == pytest.approx(one.measurements.rv5_sv1_mv * factor, rel=0.01)


def test_the_gain_declared_beside_a_table_is_the_one_measured_with():
    rows = "\n".join(",".join(str(round(value * 200)) for value in row) for row in NORMAL.millivolts.T)
    text = "# rate=500\n" + ",".join(NORMAL.names) + "\n" + rows
    analysis = analyse(read({"a.csv": ("# gain_uv=5\n" + text).encode()}))
    assert analysis.measurements.rv5_sv1_mv == pytest.approx(analyse(NORMAL).measurements.rv5_sv1_mv, abs=0.02)


def test_a_delay_moves_every_beat_by_itself():
    peaks = np.array(analyse(NORMAL).r_peaks)
    delayed = np.array(analyse(recording(np.pad(NORMAL.millivolts, ((0, 0), (700, 0)), mode="edge"))).r_peaks)
    assert delayed.size == peaks.size
    assert np.abs(delayed - 700 - peaks).max() <= 1


def test_leads_in_another_order_say_the_same():
    order = CHANCE.permutation(12)
    mixed = Recording("t", tuple(NORMAL.leads[place] for place in order), 500, NORMAL.millivolts[order])
    assert analyse(mixed).as_json() == {**analyse(NORMAL).as_json(), "format": "t"}


def test_a_constant_on_every_lead_changes_nothing():
    one, other = analyse(NORMAL), analyse(recording(NORMAL.millivolts + 1.5))
    assert one.r_peaks == other.r_peaks
    assert one.beats == other.beats
    assert replace(one.measurements, rv5_sv1_mv=None, st_j_mv=None) == replace(other.measurements, rv5_sv1_mv=None, st_j_mv=None)


def test_a_recording_behind_itself_has_its_beats_twice():
    once, twice = analyse(NORMAL), analyse(recording(np.tile(NORMAL.millivolts, 2)))
    expected = np.concatenate([once.r_peaks, np.array(once.r_peaks) + 5000])
    inner = np.array([peak for peak in twice.r_peaks if abs(peak - 5000) > 250])
    near = expected[np.abs(expected - 5000) > 250]
    assert inner.size == near.size
    assert np.abs(inner - near).max() <= 2


@pytest.mark.parametrize("lift", [0.08, 0.12, 0.25])
def test_an_injected_st_shift_is_measured_to_a_hundredth_millivolt(lift: float):
    analysis = analyse(NORMAL)
    samples = np.array(NORMAL.millivolts)
    for peak in analysis.r_peaks:
        after = T - peak / 500
        samples[1] += lift * np.where((after > 0.030) & (after < 0.30), 1.0, 0.0)
    before, after_j = analysis.measurements.st_j_mv, analyse(recording(samples)).measurements.st_j_mv
    assert before is not None
    assert after_j is not None
    assert after_j["II"] - before["II"] == pytest.approx(lift, abs=0.02)


def test_half_an_hour_is_taken_in_parts_without_seams():
    long = synthesise("normal", seed=4, seconds=600, rate=250)
    part = replace(long, leads=long.leads[:2], millivolts=long.millivolts[:2].copy(), resolution_mv=None)
    gaps = np.diff(analyse(part).r_peaks) / 250
    assert gaps.size == pytest.approx(600 / 0.84, abs=3)
    assert gaps.min() > 0.7
    assert gaps.max() < 1.0


def test_a_real_twelve_lead_dicom_is_a_sinus_rhythm_of_61():
    path = Path(str(get_testdata_file("waveform_ecg.dcm")))
    analysis = analyse(read({path.name: path.read_bytes()}))
    assert analysis.rhythm.code == "sinus-rhythm"
    assert analysis.measurements.heart_rate_bpm == 61
    assert len(analysis.r_peaks) == 10
    assert all(quality.usable for quality in analysis.quality.values())


def test_loading_the_package_loads_no_numbers():
    program = "import sys, ecg; sys.exit(bool({'numpy', 'scipy', 'neurokit2', 'pydicom'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0


def test_the_whole_engine_works_without_the_signal_libraries():
    program = "import sys, ecg.pipeline; sys.exit(bool({'scipy', 'neurokit2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0
