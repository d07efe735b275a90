"""Classes of beats from what is known of each."""

import numpy as np

from ecg.measures.ectopy import BeatFacts, classes, in_groups, longest_run


def facts(gaps_ms: list[float], odd: dict[int, float] | None = None, paced: tuple[int, ...] = ()) -> BeatFacts:
    """Return beats of a sinus rhythm with QRS of 90 ms; *odd* ones have another shape and the QRS given."""
    count, odd = len(gaps_ms) + 1, odd or {}
    return BeatFacts(
        at_ms=np.cumsum([0.0, *gaps_ms]),
        usual=np.array([place not in odd for place in range(count)]),
        qrs_ms=np.array([odd.get(place, 90.0) for place in range(count)]),
        with_p=np.array([place not in odd for place in range(count)]),
        paced=np.array([place in paced for place in range(count)]),
    )


def test_a_regular_rhythm_is_all_normal():
    assert "".join(classes(facts([800] * 9), fibrillating=False)) == "N" * 10


def test_an_early_beat_of_the_usual_shape_is_supraventricular():
    assert "".join(classes(facts([800, 800, 800, 560, 1000, 800, 800]), fibrillating=False)) == "NNNNSNNN"


def test_an_early_wide_beat_of_another_shape_is_ventricular():
    assert "".join(classes(facts([800, 800, 560, 1040, 800, 800], {3: 150.0}), fibrillating=False)) == "NNNVNNN"


def test_breathing_makes_no_premature_beats():
    gaps = (900 + 200 * np.sin(np.arange(16) * 2 * np.pi / 8)).tolist()
    assert "S" not in classes(facts(gaps), fibrillating=False)


def test_fibrillation_has_no_premature_beats_but_may_have_ventricular_ones():
    gaps = [600.0, 900, 450, 800, 520, 1000, 480, 700]
    assert "".join(classes(facts(gaps, {5: 160.0}), fibrillating=True)) == "NNNNNVNNN"


def test_a_beat_behind_a_spike_is_paced_whatever_its_shape():
    assert classes(facts([800] * 3, {2: 170.0}, paced=(2,)), fibrillating=False)[2] == "P"


def test_bigeminy_is_told_from_fibrillation_by_its_two_groups_of_intervals():
    chance = np.random.default_rng(1)
    assert in_groups(np.tile([520.0, 1000.0], 6) + chance.normal(0, 15, 12))
    assert not in_groups(chance.uniform(400, 1100, 14))
    assert not in_groups(np.full(12, 800.0))


def test_the_longest_run_of_a_class_is_found():
    assert longest_run("NVVNVVVN", "V") == (4, 6)
    assert longest_run("NNN", "V") == (0, -1)
