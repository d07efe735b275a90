"""Criteria on voltages given by hand: what holds by the book is said, its neighbour is not."""

from dataclasses import replace

import pytest

from ecg.analysis import Measurements
from ecg.criteria import chambers, conduction, repolarisation
from ecg.findings import Findings
from ecg.measures.amplitudes import Amplitudes
from ecg.measures.rhythm import RhythmEvidence

NOTHING = Amplitudes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
SINUS = RhythmEvidence(
    beats=10, heart_rate_bpm=70, irregularity=0.01, spread_ms=20, spread=0.02, p_evidence=9, p_axis_deg=50, qrs_duration_ms=90,
    atrial_rate_bpm=None, paced_share=0, flutter_bpm=None, in_groups=False, signal="good",
)  # fmt: skip
NORMAL = {
    "I": replace(NOTHING, r_mv=0.8, s_mv=-0.1, t_mv=0.2, peak_ms=40),
    "II": replace(NOTHING, r_mv=1.2, s_mv=-0.1, t_mv=0.3, peak_ms=40),
    "III": replace(NOTHING, r_mv=0.5, s_mv=-0.2, t_mv=0.1, peak_ms=40),
    "aVL": replace(NOTHING, r_mv=0.3, s_mv=-0.1, t_mv=0.1, peak_ms=40),
    "aVF": replace(NOTHING, r_mv=0.8, s_mv=-0.1, t_mv=0.2, peak_ms=40),
    "V1": replace(NOTHING, r_mv=0.2, s_mv=-0.9, t_mv=0.1, peak_ms=20),
    "V2": replace(NOTHING, r_mv=0.4, s_mv=-1.2, t_mv=0.4, peak_ms=25),
    "V3": replace(NOTHING, r_mv=0.7, s_mv=-0.8, t_mv=0.4, peak_ms=30),
    "V4": replace(NOTHING, r_mv=1.2, s_mv=-0.4, t_mv=0.4, peak_ms=35),
    "V5": replace(NOTHING, r_mv=1.3, s_mv=-0.2, t_mv=0.3, peak_ms=40),
    "V6": replace(NOTHING, r_mv=1.0, s_mv=-0.1, t_mv=0.2, peak_ms=40),
}


def said(rhythm: str = "sinus-rhythm", sex: str = "M", axis: int = 50, **changed: Amplitudes | int) -> set[str]:
    leads = {name: value for name, value in changed.items() if isinstance(value, Amplitudes)}
    numbers = {name: value for name, value in changed.items() if not isinstance(value, Amplitudes)}
    measured = Measurements(
        **{"heart_rate_bpm": 70, "pr_interval_ms": 160, "qrs_duration_ms": 92, "qrs_axis_deg": axis, **numbers}
    )
    findings = Findings(measured, rhythm, SINUS, {}, None, amplitudes={**NORMAL, **leads}, sex=sex, age_years=50)
    rules = (*conduction.RULES, *chambers.RULES, *repolarisation.RULES)
    return {rule.code for rule in rules if rule.when(findings) is not None}


def test_a_normal_heart_gets_no_statement():
    assert said() == set()


def test_rsr_with_broad_s_is_a_right_bundle_branch_block_by_its_width():
    v1, v6 = replace(NORMAL["V1"], r2_mv=0.9), replace(NORMAL["V6"], s_mv=-0.4, s_ms=60)
    assert said(V1=v1, V6=v6, qrs_duration_ms=140) == {"right-bundle-branch-block"}
    assert said(V1=v1, V6=v6, qrs_duration_ms=108) == {"incomplete-right-bundle-branch-block"}


def test_a_late_r_without_q_beside_a_deep_s_is_a_left_bundle_branch_block():
    v1, v6 = replace(NORMAL["V1"], r_mv=0.1, s_mv=-1.8), replace(NORMAL["V6"], s_mv=0, peak_ms=80)
    assert "left-bundle-branch-block" in said(V1=v1, V6=v6, qrs_duration_ms=150)
    assert "wide-qrs" not in said(V1=v1, V6=v6, qrs_duration_ms=150)


def test_a_wide_qrs_of_no_bundle_is_called_unspecific():
    assert said(qrs_duration_ms=135) == {"wide-qrs"}


@pytest.mark.parametrize(("pr", "expected"), [(160, set()), (230, {"first-degree-av-block"}), (96, {"short-pr"})])
def test_pr_is_judged_in_sinus_rhythm_only(pr: int, expected: set[str]):
    assert said(pr_interval_ms=pr) == expected
    assert said(rhythm="ectopic-atrial-rhythm", pr_interval_ms=pr) == set()


def test_left_axis_with_rs_below_is_a_left_anterior_block():
    two, three = replace(NORMAL["II"], r_mv=0.3, s_mv=-0.9), replace(NORMAL["III"], r_mv=0.2, s_mv=-1.2)
    assert {"left-anterior-fascicular-block", "left-axis-deviation"} <= said(II=two, III=three, axis=-60)


def test_cornell_voltage_depends_on_the_sex():
    tall = {
        "aVL": replace(NORMAL["aVL"], r_mv=0.9),
        "V3": replace(NORMAL["V3"], s_mv=-1.4),
        "V4": replace(NORMAL["V4"], s_mv=-0.2),
    }
    assert "left-ventricular-hypertrophy" in said(sex="F", **tall)
    assert "left-ventricular-hypertrophy" not in said(sex="M", **tall)


def test_q_waves_need_a_neighbour():
    deep = {name: replace(NORMAL[name], q_mv=-0.3, q_ms=40) for name in ("II", "III", "aVF")}
    assert "inferior-q-waves" in said(**deep)
    assert "inferior-q-waves" not in said(III=deep["III"])


def test_negative_t_in_two_neighbours_is_told():
    negative = {name: replace(NORMAL[name], t_mv=-0.2) for name in ("V5", "V6")}
    assert said(**negative) == {"t-wave-inversion"}
    assert said(V5=negative["V5"]) == set()
