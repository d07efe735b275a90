from dataclasses import replace

import numpy as np
import pytest

from ecg.comparison.average import Snapshot, snapshot
from ecg.comparison.changes import Comparison, compare
from ecg.comparison.drawing import svg
from ecg.recording import Recording
from sample_data.ecg_synthesis import KINDS, synthesise

NORMAL = snapshot(synthesise("normal", seed=1))


def named(comparison: Comparison, name: str, lead: str = ""):
    return next(change for change in comparison.changes if (change.name, change.lead) == (name, lead))


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_beside_itself_has_not_changed(kind: str):
    same = snapshot(synthesise(kind, seed=3))
    comparison = compare(same, same)
    assert [sentence.en for sentence in comparison.sentences()] == ["No notable change from the previous ECG"]


def test_the_same_heart_on_another_day_has_not_changed():
    other = snapshot(synthesise("normal", seed=2, seconds=20))
    assert not [change for change in compare(NORMAL, other).changes if change.notable]


def test_there_and_back_again_is_the_opposite():
    injured = snapshot(synthesise("inferior-st-elevation", seed=2))
    there, back = compare(NORMAL, injured), compare(injured, NORMAL)
    assert [change.difference for change in there.changes] == [
        None if change.difference is None else pytest.approx(-change.difference) for change in back.changes
    ]
    assert there.new == back.gone
    assert {each.code for each in there.new} == {each.code for each in back.gone}
    assert named(there, "st_j_mv", "III").difference == pytest.approx(0.38, abs=0.05)
    assert any("下壁" in sentence.zh for sentence in there.sentences())


@pytest.mark.parametrize(("lift", "notable"), [(0.08, False), (0.12, True), (-0.12, True)])
def test_st_is_said_to_have_changed_from_a_tenth_millivolt_on(lift: float, *, notable: bool):
    measured = NORMAL.analysis.measurements
    level = {**measured.st_j_mv, "V2": measured.st_j_mv["V2"] + lift}
    other = replace(NORMAL, analysis=replace(NORMAL.analysis, measurements=replace(measured, st_j_mv=level)))
    change = named(compare(NORMAL, other), "st_j_mv", "V2")
    assert (change.difference, change.notable) == (pytest.approx(lift), notable)


@pytest.mark.parametrize(
    ("name", "before", "after", "difference", "notable"),
    [
        ("heart_rate_bpm", 70, 89, 19, False),
        ("heart_rate_bpm", 70, 50, -20, True),
        ("qrs_axis_deg", 170, -170, 20, False),
        ("qrs_axis_deg", -170, 150, -40, True),
        ("qrs_axis_deg", 60, None, None, False),
        ("pr_interval_ms", 160, None, None, True),
        ("pr_interval_ms", 160, 180, 20, True),
    ],
)
def test_limits_are_what_the_table_says(name: str, before: int, after: int | None, difference: float | None, *, notable: bool):
    def with_value(value: int | None) -> Snapshot:
        measured = replace(NORMAL.analysis.measurements, **{name: value})
        return replace(NORMAL, analysis=replace(NORMAL.analysis, measurements=measured))

    change = named(compare(with_value(before), with_value(after)), name)
    assert (change.difference, change.notable) == (difference, notable)
    assert change.source


def test_a_turned_t_wave_is_seen_and_a_flattened_one_is_no_turn():
    beat = NORMAL.beat
    assert beat is not None
    turned = replace(NORMAL, beat=replace(beat, t_mv={**beat.t_mv, "V5": -0.3, "V6": 0.02}))
    comparison = compare(NORMAL, turned)
    assert named(comparison, "t_polarity", "V5").notable
    assert not named(comparison, "t_polarity", "V6").notable
    assert "T波 V5：直立 → 倒置" in [sentence.zh for sentence in comparison.sentences()]


def test_another_rate_of_sampling_and_order_of_leads_changes_nothing():
    recording = synthesise("normal", seed=1, rate=1000)
    turned = replace(recording, leads=recording.leads[::-1], millivolts=recording.millivolts[::-1], resolution_mv=None)
    comparison = compare(snapshot(recording), snapshot(turned))
    assert not [change for change in comparison.changes if change.notable]


def test_a_recording_without_beats_is_compared_and_drawn():
    empty = snapshot(Recording("t", synthesise("normal", seed=1).leads, 500, np.zeros((12, 5000))))
    comparison = compare(NORMAL, empty)
    assert comparison.rhythm_changed
    assert named(comparison, "heart_rate_bpm").notable
    assert svg(NORMAL.beat, empty.beat).count("<polyline") == 12
    assert svg(None, None).count("<polyline") == 0


def test_both_are_drawn_over_each_other_at_one_scale():
    drawn = svg(NORMAL.beat, NORMAL.beat)
    points = [line.split('points="')[1].split('"')[0] for line in drawn.splitlines() if line.startswith("<polyline")]
    assert len(points) == 24
    assert points[0::2] == points[1::2]
    assert drawn.index("#9a9a9a") < drawn.index('stroke="#000"')
