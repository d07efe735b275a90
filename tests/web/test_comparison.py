"""The patient's previous ECG: which one it is, who may see it, what is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.builders import an_order

from consult.intake import ask
from ecg.formats import dicom
from ecg.recording import PatientTags
from sample_data.ecg_synthesis import synthesise

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

RECORDINGS = "/api/v1/recordings"


def sent(site, number: int, kind: str, *, day: int, patient_id: str = "P1", by: str = "clinic") -> str:
    """Let *by* send an ECG of *day* of March, and return its UID."""
    names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
    uids = {name: f"2.25.{number}.{part}" for part, name in enumerate(names)}
    moment = datetime(2026, 3, day, 9, tzinfo=UTC)
    content = dicom.write(synthesise(kind, seed=number), PatientTags(patient_id, "LI^Ming"), **uids, acquired_at=moment)
    answer = site.browser(by).post(RECORDINGS, data=content)
    assert answer.status == 201, answer.body
    return answer.json()["sop_instance_uid"]


@pytest.fixture
def three(site) -> list[str]:
    """Three ECGs of one patient, sent out of their order, and one of another."""
    last = sent(site, 3, "inferior-st-elevation", day=20)
    first, middle = sent(site, 1, "atrial-fibrillation", day=2), sent(site, 2, "normal", day=10)
    sent(site, 4, "normal", day=15, patient_id="P2")
    return [first, middle, last]


def test_an_ecg_is_compared_with_the_one_before_it_in_time(site, three):
    browser = site.browser("clinic")
    answer = browser.get(f"{RECORDINGS}/{three[2]}/comparison")
    assert answer.status == 200, answer.body
    found = answer.json()
    assert (found["previous"]["sop_instance_uid"], found["current"]["sop_instance_uid"]) == (three[1], three[2])
    assert found["previous"]["started_at"].startswith("2026-03-10")
    assert not found["rhythm"]["changed"]
    lifted = [change["lead"] for change in found["changes"] if change["name"] == "st_j_mv" and change["notable"]]
    assert {"II", "III", "aVF"} <= set(lifted)
    assert any("ST段抬高" in sentence["zh"] for sentence in found["sentences"])
    assert found["svg"].count("<polyline") == 24


def test_it_is_compared_with_the_one_that_is_named(site, three):
    found = site.browser("clinic").get(f"{RECORDINGS}/{three[2]}/comparison?with={three[0]}").json()
    assert found["previous"]["sop_instance_uid"] == three[0]
    assert found["rhythm"]["before"]["en"] == "Atrial fibrillation"
    assert found["rhythm"]["changed"]


def test_the_first_one_has_none_before_it_and_another_patient_s_is_none(site, three):
    browser = site.browser("clinic")
    assert (
        browser.get(f"{RECORDINGS}/{three[0]}/comparison").status,
        browser.get(f"{RECORDINGS}/2.25.4.2/comparison").status,
    ) == (404, 404)
    refused = browser.get(f"{RECORDINGS}/{three[2]}/comparison?with=2.25.4.2")
    assert (refused.status, refused.json()["code"]) == (422, "other-patient")
    assert browser.get(f"{RECORDINGS}/{three[2]}/comparison?with=2.25.99").status == 404


def test_who_may_not_see_the_earlier_study_is_not_shown_it(site, three):
    """The hospital was asked about the last study alone; the same patient ID elsewhere is another person."""
    browser = site.browser("cardiologist")
    assert browser.get(f"{RECORDINGS}/{three[2]}/comparison").status == 404
    with site.database.transaction() as db:
        ask(db, site.chronicle, an_order("2.25.3.0"), by=site.people["clinic"])
    assert browser.get(f"{RECORDINGS}/{three[2]}/analysis").status == 200
    alone = browser.get(f"{RECORDINGS}/{three[2]}/comparison")
    assert (alone.status, alone.json()["code"]) == (404, "no-previous")
    assert browser.get(f"{RECORDINGS}/{three[2]}/comparison?with={three[1]}").status == 404
    namesake = sent(site, 5, "normal", day=25, by="stranger")
    assert site.browser("stranger").get(f"{RECORDINGS}/{namesake}/comparison").status == 404
    assert site.browser("stranger").get(f"{RECORDINGS}/{three[2]}/comparison").status == 404
    with site.database.transaction() as db:
        ask(db, site.chronicle, an_order("2.25.2.0"), by=site.people["clinic"])
    assert browser.get(f"{RECORDINGS}/{three[2]}/comparison").json()["previous"]["sop_instance_uid"] == three[1]
