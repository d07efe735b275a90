"""The couch gate over HTTP, the printed paper, and the report of a recording."""

from __future__ import annotations

import time

import numpy as np
import pytest
from support.ecg_files.uploads import as_csv, as_dicom

from ecg import structured_report
from ecg.recording import Recording
from sample_data.ecg_synthesis import synthesise

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


UPLOAD = "/api/v1/recordings"


def without_v3() -> Recording:
    good = synthesise("normal", seed=7)
    samples = np.array(good.millivolts)
    samples[8] = 0.0
    return Recording("t", good.leads, 500, samples)


def send(browser, recording, query: str = "patient_id=P1&name=LI+Ming", **headers):
    return browser.post(f"{UPLOAD}?{query}", data=as_csv(recording), headers={"X-Filename": "a.csv", **headers})


def test_the_answer_to_an_upload_says_what_to_repeat_and_the_repeat_answers_the_same_request(site):
    browser = site.browser("clinic")
    begun = time.monotonic()
    first = send(browser, without_v3()).json()
    assert time.monotonic() - begun < 30  # the figure of three seconds is measured on a machine of its own
    assert first["gate"]["verdict"] == "open"
    assert (first["gate"]["faults"][0]["code"], first["gate"]["faults"][0]["electrodes"]) == ("lead-off", ["V3"])
    (card,) = browser.get(f"{UPLOAD}/gates").json()
    assert (card["gate"]["sop_instance_uid"], card["patient"]["patient_id"]) == (first["sop_instance_uid"], "P1")
    assert site.browser("stranger").get(f"{UPLOAD}/gates").json() == []

    second = send(browser, synthesise("normal", seed=8), f"replaces={first['sop_instance_uid']}").json()
    assert second["study_instance_uid"] == first["study_instance_uid"]
    assert second["gate"]["verdict"] == "passed"
    assert browser.get(f"{UPLOAD}/gates").json() == []
    study = browser.get(f"/api/v1/studies/{first['study_instance_uid']}").json()
    assert (study["patient"]["patient_id"], study["instance_count"]) == ("P1", 2)
    replaced = {one["sop_instance_uid"]: one["replaced_by"] for series in study["series"] for one in series["instances"]}
    assert replaced == {first["sop_instance_uid"]: second["sop_instance_uid"], second["sop_instance_uid"]: None}


def test_a_dicom_file_can_be_the_repeat_too_but_not_of_another_patient(site):
    browser = site.browser("clinic")
    first = send(browser, without_v3()).json()
    other = send(browser, synthesise("normal", seed=8), f"patient_id=P2&replaces={first['sop_instance_uid']}")
    assert (other.status, other.json()["code"]) == (409, "other-patient")
    repeat = browser.post(f"{UPLOAD}?replaces={first['sop_instance_uid']}", data=as_dicom(synthesise("normal", seed=9)))
    assert repeat.status == 201, repeat.body
    assert repeat.json()["study_instance_uid"] == first["study_instance_uid"]
    assert repeat.json()["sop_instance_uid"] != "2.25.13"
    unknown = send(browser, synthesise("normal", seed=8), "replaces=1.2.3")
    assert unknown.status == 404


def test_a_recording_is_kept_as_it_is_with_a_reason_and_nothing_waited_for_it(site):
    browser = site.browser("clinic")
    uid = send(browser, without_v3()).json()["sop_instance_uid"]
    assert browser.post(f"{UPLOAD}/{uid}/keep", json={"reason": ""}).status == 422
    assert site.browser("stranger").post(f"{UPLOAD}/{uid}/keep", json={"reason": "x"}).status == 404
    kept = browser.post(f"{UPLOAD}/{uid}/keep", json={"reason": "胸痛，抢救中"})
    assert (kept.status, kept.json()["verdict"]) == (200, "kept")
    assert browser.get(f"{UPLOAD}/gates").json() == []
    assert browser.post(f"{UPLOAD}/{uid}/keep", json={"reason": "again"}).status == 409
    study = browser.get(f"/api/v1/studies/{kept.json()['study_instance_uid']}").json()
    assert study["series"][0]["instances"][0]["kept_because"] == "胸痛，抢救中"


def test_a_recording_is_printed_as_chosen(site):
    browser = site.browser("clinic")
    uid = send(browser, without_v3()).json()["sop_instance_uid"]
    page = browser.get(f"{UPLOAD}/{uid}/paper.svg?layout=12x1&speed=50&gain=20&cabrera=true&filter=monitor&page=2")
    assert page.status == 200, page.body
    text = page.body.decode()
    for said in ('width="297mm"', "50 mm/s", "20 mm/mV", "12x1 Cabrera", "0.5–40 Hz", "莲花", "电极脱落"):
        assert said in text, said
    pdf = browser.get(f"{UPLOAD}/{uid}/paper.pdf?layout=6x2")
    assert pdf.body.startswith(b"%PDF-")
    assert browser.get(f"{UPLOAD}/{uid}/paper.svg?layout=5x5").status == 422
    assert browser.get(f"{UPLOAD}/{uid}/paper.svg?page=9").status == 404
    assert site.browser("stranger").get(f"{UPLOAD}/{uid}/paper.pdf").status == 404


def test_the_report_is_given_out_and_put_beside_the_recording_once(site):
    browser = site.browser("clinic")
    uid = send(browser, synthesise("normal", seed=7)).json()["sop_instance_uid"]
    report = browser.get(f"{UPLOAD}/{uid}/report.dcm")
    found = structured_report.read(report.body)
    assert (found.patient_id, found.waveform_uids) == ("P1", (uid,))
    first, second = (browser.post(f"{UPLOAD}/{uid}/report", json={}).json() for _ in range(2))
    assert first == second
    kept = site.archive.read(site.clinic, first["sop_instance_uid"])
    assert structured_report.read(kept).study_instance_uid == first["study_instance_uid"] == found.study_instance_uid
