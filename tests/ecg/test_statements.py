import pytest

from ecg.analysis import Severity
from ecg.coding import AHA
from ecg.leads import TWELVE
from ecg.pipeline import analyse
from ecg.recording import PatientTags, Recording
from ecg.statements import RHYTHMS, RULES
from sample_data.ecg_synthesis import synthesise

SEEDS = (1, 2, 3)


def test_every_code_of_the_aha_belongs_to_a_statement_that_is_made():
    assert set(AHA) <= {*RHYTHMS, *(rule.code for rule in RULES)}


def test_a_statement_shows_its_codes_and_none_where_none_says_the_same():
    shown = {each["code"]: each["codes"] for each in analyse(synthesise("atrial-fibrillation", seed=1)).as_json()["statements"]}
    assert shown["atrial-fibrillation"] == {"scp": "AFIB", "aha": "50"}
    slow = {each["code"]: each["codes"] for each in analyse(synthesise("complete-av-block", seed=1)).as_json()["statements"]}
    assert slow["critical-bradycardia"] == {}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("kind", "rhythm", "said", "severity"),
    [
        ("normal", "sinus-rhythm", set(), "normal"),
        ("atrial-fibrillation", "atrial-fibrillation", set(), "abnormal"),
        ("inferior-st-elevation", "sinus-rhythm", {"inferior-st-elevation", "st-depression"}, "critical"),
        ("complete-av-block", "complete-av-block", {"critical-bradycardia"}, "critical"),
        ("noisy-leads", "sinus-rhythm", {"low-quality"}, "borderline"),
    ],
)
def test_every_synthetic_heart_is_named(kind: str, rhythm: str, said: set[str], severity: str, seed: int):
    analysis = analyse(synthesise(kind, seed=seed))
    assert analysis.rhythm.code == rhythm
    assert said <= {statement.code for statement in analysis.statements}
    assert analysis.severity == severity


def test_the_leads_of_an_inferior_elevation_are_its_evidence():
    statements = {each.code: each for each in analyse(synthesise("inferior-st-elevation", seed=1)).statements}
    elevation = statements["inferior-st-elevation"]
    assert set(elevation.evidence["st_j_mv"]) == {"II", "III", "aVF"}
    assert "II" in elevation.text.zh
    assert set(statements["st-depression"].evidence["st_j_mv"]) >= {"I", "aVL"}


def test_where_fibrillation_or_block_is_no_pr_is_invented():
    for kind in ("atrial-fibrillation", "complete-av-block"):
        analysis = analyse(synthesise(kind, seed=1))
        assert analysis.measurements.pr_interval_ms is None
        assert all(waves["p_peak"] == () for waves in analysis.delineation.values())
        assert any(warning.startswith("pr_interval_ms is null") for warning in analysis.warnings)


def test_bad_leads_say_why():
    quality = analyse(synthesise("noisy-leads", seed=1)).quality
    assert quality["V3"].reasons == ("lead-off",)
    assert {"noise", "mains"} <= set(quality["V5"].reasons)
    assert "baseline-wander" in quality["II"].reasons
    assert quality["II"].usable
    assert not quality["V3"].usable
    assert not quality["V5"].usable


def test_a_pause_of_three_seconds_is_critical():
    plain = synthesise("normal", seed=1)
    peaks = analyse(plain).r_peaks
    samples = plain.millivolts.copy()
    first, last = peaks[4] - 110, peaks[7] + 240
    samples[:, first:last] = 0.002 * (samples[:, first:last] > 0)
    analysis = analyse(Recording("t", TWELVE, 500, samples))
    pause = next(each for each in analysis.statements if each.code == "pause")
    assert pause.severity is Severity.CRITICAL
    assert pause.evidence["rr_ms"] >= 3000


@pytest.mark.parametrize(("sex", "age", "times"), [("F", 50.0, 1), ("M", 50.0, 0)])
def test_the_limit_in_v2_and_v3_depends_on_the_person(sex: str, age: float, times: int):
    plain = synthesise("normal", seed=1)
    samples = plain.millivolts.copy()
    for peak in analyse(plain).r_peaks:
        for row in (7, 8):
            samples[row, peak + 15 : peak + 150] += 0.175
    patient = PatientTags(sex=sex, age_years=age)
    codes = [each.code for each in analyse(Recording("t", TWELVE, 500, samples, patient=patient)).statements]
    assert codes.count("anterior-st-elevation") == times


def test_every_wording_is_there_in_both_languages():
    for text, _ in RHYTHMS.values():
        assert text.zh
        assert text.en
    for rule in RULES:
        assert rule.zh != rule.en
