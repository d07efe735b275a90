"""Electrodes exchanged since the previous ECG: whatever else differs, undoing the exchange is what explains the beat."""

from dataclasses import replace

import numpy as np
import pytest

from ecg.comparison.average import average_beat, snapshot
from ecg.comparison.changes import compare
from ecg.comparison.electrodes import ELECTRODES, exchange
from ecg.measures.placement import ARRANGEMENTS, FRONTAL
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise

PREVIOUS = synthesise("normal", seed=1)


def exchanged(recording: Recording, arrangement: str) -> Recording:
    """Return what electrodes in *arrangement* would have recorded: six limb leads of another frontal vector."""
    samples = np.array(recording.millivolts)
    one, two = np.linalg.inv(FRONTAL) @ np.linalg.inv(ARRANGEMENTS[arrangement]) @ FRONTAL @ samples[:2]
    samples[:6] = one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2
    return replace(recording, millivolts=samples, resolution_mv=None)


@pytest.mark.parametrize("arrangement", ELECTRODES)
@pytest.mark.parametrize("other_day", [{"seed": 2}, {"seed": 3, "seconds": 20}, {"seed": 4, "rate": 1000}])
def test_an_exchange_since_the_previous_ecg_is_named_either_way(arrangement: str, other_day: dict[str, int]):
    wrong = average_beat(exchanged(synthesise("normal", **other_day), arrangement))
    right = average_beat(PREVIOUS)
    for was, now in ((right, wrong), (wrong, right)):
        found = exchange(was, now)
        assert found is not None
        assert found.electrodes == ELECTRODES[arrangement][0]
        assert found.undone > found.plain


@pytest.mark.parametrize("arrangement", ELECTRODES)
def test_electrodes_exchanged_in_both_recordings_are_no_change(arrangement: str):
    both = [average_beat(exchanged(synthesise("normal", seed=seed), arrangement)) for seed in (1, 2)]
    assert exchange(*both) is None


@pytest.mark.parametrize("kind", ["normal", "atrial-fibrillation", "inferior-st-elevation"])
def test_another_day_and_an_infarction_are_no_exchange(kind: str):
    assert exchange(average_beat(PREVIOUS), average_beat(synthesise(kind, seed=2))) is None


def test_gain_and_a_turned_heart_do_not_hide_an_exchange():
    turned = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    samples = np.array(PREVIOUS.millivolts) * 1.3
    samples[:2] = np.linalg.inv(FRONTAL) @ turned @ FRONTAL @ samples[:2]
    today = exchanged(replace(PREVIOUS, millivolts=samples, resolution_mv=None), "left-arm-left-leg-swapped")
    found = exchange(average_beat(PREVIOUS), average_beat(today))
    assert found is not None
    assert found.electrodes == ("LA", "LL")


def test_the_comparison_says_it_first_and_in_both_languages():
    comparison = compare(snapshot(PREVIOUS), snapshot(exchanged(PREVIOUS, "left-arm-left-leg-swapped")))
    first = comparison.sentences()[0]
    assert "左手与左腿电极可能互换" in first.zh
    assert "left arm and left leg electrodes seem exchanged" in first.en
    assert comparison.as_json()["exchanged_electrodes"]["electrodes"] == ["LA", "LL"]


def test_without_a_beat_or_a_limb_lead_nothing_is_said():
    beat = average_beat(PREVIOUS)
    assert beat is not None
    assert exchange(None, beat) is None
    assert exchange(beat, replace(beat, leads={"V1": beat.leads["V1"]})) is None
