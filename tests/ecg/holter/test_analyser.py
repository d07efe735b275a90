import json
import os
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.long_hearts import fibrillation, heart, sinus

from ecg import EcgError
from ecg.formats.streams import of_recording, opened
from ecg.holter.analyser import Analyser, analyse
from ecg.holter.summary import Summary
from ecg.holter.whole import analysis_of
from ecg.pipeline import analyse as analyse_strip
from ecg.recording import Recording

RUN = [("V", 0.5), *[("V", 0.4)] * 4, ("N", 0.9)]
PAIR = [("V", 0.5), ("V", 0.45), ("N", 1.0)]
MIXED = heart([*sinus(100), *PAIR, *sinus(40), *RUN, *sinus(30), ("N", 2.6), *sinus(40), *fibrillation(90), *sinus(60)])


def kinds(summary: Summary) -> Counter[str]:
    return Counter(episode.kind for episode in summary.episodes)


def fed(recording: Recording, sizes: list[int]) -> Summary:
    analyser, at, turn = Analyser(recording.names, recording.sampling_frequency_hz), 0, 0
    while at < recording.millivolts.shape[1]:
        size = sizes[turn % len(sizes)]
        analyser.feed(recording.millivolts[:, at : at + size])
        at, turn = at + size, turn + 1
    return analyser.finish(format=recording.format)


WHOLE = fed(MIXED, [10**9])


@settings(max_examples=6, deadline=None)
@given(sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=4))
def test_the_size_of_the_chunks_changes_nothing_at_all(sizes: list[int]):
    sizes = [max(size, 37) for size in sizes]
    assert fed(MIXED, sizes).as_json() == WHOLE.as_json()


def test_single_samples_say_what_the_whole_says():
    short = replace(MIXED, millivolts=MIXED.millivolts[:, : 131 * 250 + 77].copy())
    assert fed(short, [1]).as_json() == fed(short, [10**9]).as_json()


@pytest.mark.parametrize("seconds", [1, 20, 89.9, 90, 90.1, 119.9, 120, 150, 150.004, 181])
def test_its_beats_are_those_of_the_strip_analyser(seconds: float):
    part = replace(MIXED, millivolts=MIXED.millivolts[:, : round(seconds * 250)].copy())
    assert tuple(analyse(of_recording(part), with_variability=False).table.at.tolist()) == analyse_strip(part).r_peaks


def test_everything_put_in_is_found_once():
    found = kinds(WHOLE)
    assert (found["couplet"], found["ventricular-run"], found["pause"], found["atrial-fibrillation"]) == (1, 1, 1, 1)
    run = next(episode for episode in WHOLE.episodes if episode.kind == "ventricular-run")
    assert run.beats == 5
    assert run.rate_bpm == pytest.approx(150, abs=3)
    assert run.strip[0] < run.first < run.last < sum(run.strip)
    pause = next(episode for episode in WHOLE.episodes if episode.kind == "pause")
    assert pause.evidence["pause_ms"] == pytest.approx(2600, abs=15)
    fibrillating = next(episode for episode in WHOLE.episodes if episode.kind == "atrial-fibrillation")
    assert (fibrillating.last - fibrillating.first) / 250 == pytest.approx(90, abs=12)
    assert WHOLE.fibrillation_share == pytest.approx(90 / WHOLE.duration_s, abs=0.04)
    assert WHOLE.ventricular_share == pytest.approx(7 / WHOLE.table.at.size)


def test_a_steady_sinus_rhythm_has_no_episode():
    assert not analyse(of_recording(heart(sinus(200))), with_variability=False).episodes


def test_bigeminy_is_one_episode_and_no_fibrillation():
    turn = [("V", 0.55), ("N", 1.05)] * 20
    found = kinds(analyse(of_recording(heart([*sinus(60), *turn, *sinus(60)])), with_variability=False))
    assert found["bigeminy"] == 1
    assert not found["atrial-fibrillation"]


def test_a_run_of_narrow_beats_that_begins_at_once_is_supraventricular():
    run = [("N", 0.45), *[("N", 0.38)] * 12, ("N", 0.95)]
    summary = analyse(of_recording(heart([*sinus(60), *run, *sinus(60)])), with_variability=False)
    (episode,) = [episode for episode in summary.episodes if episode.kind == "supraventricular-run"]
    assert episode.beats in {12, 13, 14}
    assert episode.rate_bpm == pytest.approx(158, abs=5)


def test_electrodes_off_are_artefact_and_no_pause():
    off = MIXED.millivolts[:, : 90 * 250].copy()
    off[:, 30 * 250 : 40 * 250] = np.nan
    summary = analyse(of_recording(replace(MIXED, millivolts=off)), with_variability=False)
    assert not kinds(summary)["pause"]
    assert summary.artefact_share == pytest.approx(10 / 90, abs=0.03)


def test_an_injected_st_shift_is_one_episode_of_its_size():
    lifted = heart(sinus(150, seed=2), st_mv=0.25, seed=2).millivolts
    level = heart(sinus(400)).millivolts
    joined = np.concatenate([level[:, : 240 * 250], lifted[:, : 120 * 250], level[:, : 120 * 250]], axis=1)
    summary = analyse(of_recording(replace(MIXED, millivolts=joined)), with_variability=False)
    (episode,) = [each for each in summary.episodes if each.kind == "st-elevation" and each.evidence["lead"] == "II"]
    assert (episode.first / 250, (episode.last + 1) / 250) == pytest.approx((240, 360), abs=1)
    assert episode.evidence["change_mv"] == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_another_gain_moves_no_beat_and_scales_st(factor: float):
    part = replace(MIXED, millivolts=MIXED.millivolts[:, : 100 * 250].copy())
    scaled = replace(part, millivolts=part.millivolts * factor)
    one, other = (analyse(of_recording(each), with_variability=False) for each in (part, scaled))
    assert np.array_equal(one.table.at, other.table.at)
    assert np.array_equal(one.table.kind, other.table.kind)
    np.testing.assert_allclose(other.st.j80_mv / factor, one.st.j80_mv, atol=0.012)


def test_leads_in_another_order_with_a_constant_on_them_say_the_same():
    turned = replace(MIXED, leads=MIXED.leads[::-1], millivolts=MIXED.millivolts[::-1] + 0.7)
    other = analyse(of_recording(turned), with_variability=False)
    assert np.array_equal(other.table.at, WHOLE.table.at)
    assert kinds(other) == kinds(WHOLE)


def test_hours_add_up_to_the_whole():
    hours = WHOLE.hours
    assert sum(sum(hour.beats.values()) for hour in hours) == WHOLE.table.at.size
    assert sum(hour.seconds for hour in hours) == pytest.approx(WHOLE.duration_s)
    assert sum(hour.fibrillation_minutes for hour in hours) * 60 == pytest.approx(WHOLE.fibrillation_share * WHOLE.duration_s)


def test_twice_the_length_takes_no_more_memory_than_its_beats():
    def peak(minutes: int) -> int:
        samples = minutes * 60 * 250
        line = np.tile(heart(sinus(60)).millivolts[:, : 60 * 250], (1, 2))
        tracemalloc.start()
        analyser = Analyser(("II", "V5"), 250)
        for first in range(0, samples, 15_000):
            analyser.feed(line[:, first % 15_000 : first % 15_000 + 15_000])
        analyser.finish()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(12) - peak(6) < 1_000_000


@pytest.mark.parametrize(
    "millivolts",
    [
        np.zeros((2, 100_000)),
        np.full((2, 30_000), np.nan),
        np.full((2, 30_000), np.inf),
        np.random.default_rng(1).normal(0, 9, (2, 30_000)),
    ],
    ids=["flat", "missing", "infinite", "noise"],
)
def test_what_cannot_be_read_is_artefact_and_raises_nothing(millivolts: np.ndarray):
    summary = analyse(of_recording(Recording("t", MIXED.leads, 250, millivolts)))
    json.dumps(summary.as_json(), allow_nan=False)
    assert summary.artefact_share == 1
    assert not summary.episodes


def test_no_samples_and_foreign_chunks_are_refused():
    with pytest.raises(EcgError, match="no samples"):
        Analyser(("II",), 250).finish()
    with pytest.raises(EcgError, match="do not fit 1 leads"):
        Analyser(("II",), 250).feed(np.zeros((2, 5)))
    with pytest.raises(EcgError, match="no recording"):
        Analyser((), 250)


def test_the_json_of_five_minutes_has_the_summary_and_that_of_a_strip_has_none():
    long = replace(MIXED, millivolts=np.tile(MIXED.millivolts, (1, 1))[:, : 301 * 250].copy())
    content = analysis_of(long)
    json.dumps(content, allow_nan=False)
    assert content["measurements"]["heart_rate_bpm"]
    assert content["long"]["counts"]["couplet"] == 1
    assert "r_peaks" not in content["long"]
    assert "long" not in analysis_of(replace(MIXED, millivolts=MIXED.millivolts[:, : 299 * 250].copy()))


def test_a_real_record_does_not_depend_on_its_chunks():
    folder = os.environ.get("TELEMED_TEST_DATA")
    if not folder:
        pytest.skip("set TELEMED_TEST_DATA to the folder that holds ecg/mitdb to measure on real recordings")
    recording = opened(Path(folder) / "ecg" / "mitdb" / "208.hea").recording(0, 5 * 60 * 360)
    assert fed(recording, [1237]).as_json() == fed(recording, [100_001, 3]).as_json()
