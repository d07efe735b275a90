"""Uploading an ECG: every format, every refusal, and what is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path

import aiohttp
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import func, select
from support.ecg_files import LEADS, SAMPLES, binary, counts, markup, scp
from support.ecg_files.uploads import as_csv, as_dicom
from support.long_hearts import heart, sinus

from dicom_node.archive.tables import instance_table
from sample_data.ecg_synthesis import synthesise
from web import keys

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

UPLOAD = "/api/v1/recordings"


@pytest.fixture(scope="module")
def recording():
    return synthesise("normal", seed=7)


def as_wfdb(recording, gain: str = "1000") -> tuple[bytes, bytes]:
    stored = np.rint(recording.millivolts * 1000).astype("<i2")
    head = [f"r01 {len(recording.names)} {recording.sampling_frequency_hz:g} {stored.shape[1]}"]
    head += [f"r01.dat 16 {gain}{'/mV' if gain != '0' else ''} 16 0 0 0 0 {name}" for name in recording.names]
    return ("\n".join(head) + "\n").encode(), stored.T.tobytes()


def kept(site) -> int:
    with site.database.reading() as db:
        return db.execute(select(func.count()).select_from(instance_table)).scalar_one()


def test_a_csv_becomes_a_dicom_waveform_of_the_patient_named_with_it(site, recording):
    browser = site.browser("clinic")
    path = f"{UPLOAD}?patient_id=P1&name=%E7%8E%8B%E5%B0%8F%E4%B8%9C&sex=M&birth_date=1958-02-14"
    answer = browser.post(path, data=as_csv(recording), headers={"X-Filename": "%E5%BF%83%E7%94%B5.csv"})
    assert answer.status == 201, answer.body
    found = answer.json()
    assert 60 <= found["analysis"]["measurements"]["heart_rate_bpm"] <= 90
    study = browser.get(f"/api/v1/studies/{found['study_instance_uid']}").json()
    assert (study["patient"]["patient_id"], study["patient"]["name"], study["modalities"]) == ("P1", "王小东", ["ECG"])
    stored = pydicom.dcmread(io.BytesIO(site.archive.read(site.clinic, found["sop_instance_uid"])))
    assert stored.SOPClassUID.name == "12-lead ECG Waveform Storage"

    waveform = browser.get(f"{UPLOAD}/{found['sop_instance_uid']}/waveform")
    assert waveform.json()["leads"] == list(recording.names)
    assert abs(waveform.json()["microvolts"][1][100] - recording.millivolts[1][100] * 1000) <= 1
    part = browser.get(f"{UPLOAD}/{found['sop_instance_uid']}/waveform?start_s=2&seconds=1").json()
    assert (part["start_s"], len(part["microvolts"][0])) == (2.0, 500)
    analysis = browser.get(f"{UPLOAD}/{found['sop_instance_uid']}/analysis").json()
    assert analysis["r_peaks"] == found["analysis"]["r_peaks"]
    for path in ("analysis", "waveform"):
        assert site.browser("stranger").get(f"{UPLOAD}/{found['sop_instance_uid']}/{path}").status == 404


def test_sending_the_same_recording_again_keeps_one(site, recording):
    browser, data = site.browser("clinic"), as_csv(recording)
    first, second = (browser.post(UPLOAD, data=data, headers={"X-Filename": "a.csv"}).json() for _ in range(2))
    assert first["sop_instance_uid"] == second["sop_instance_uid"]
    assert kept(site) == 1


def test_a_wfdb_record_comes_as_its_two_files(site, recording):
    head, samples = as_wfdb(recording)
    form = aiohttp.FormData()
    form.add_field("patient_id", "P2")
    form.add_field("sex", "")
    form.add_field("file", head, filename="r01.hea")
    form.add_field("file", samples, filename="records/r01.dat")
    answer = site.browser("clinic").post(UPLOAD, data=form)
    assert answer.status == 201, answer.body
    assert answer.json()["analysis"]["format"] == "wfdb"


def test_a_dicom_recording_is_kept_as_it_is(site, recording):
    data = as_dicom(recording)
    answer = site.browser("clinic").post(UPLOAD, data=data)
    assert answer.status == 201, answer.body
    assert site.archive.read(site.clinic, answer.json()["sop_instance_uid"]) == data


def test_a_declared_gain_is_enough_for_a_file_without_one(site, recording):
    browser = site.browser("clinic")
    refused = browser.post(UPLOAD, data=as_csv(recording, head=""), headers={"X-Filename": "a.csv"})
    assert refused.status == 422
    query = f"{UPLOAD}?gain_uv=1000&sampling_frequency_hz=500"
    taken = browser.post(query, data=as_csv(recording, head=""), headers={"X-Filename": "a.csv"})
    assert taken.status == 201, taken.body


def test_every_format_is_taken_and_kept_with_what_its_machine_measured(site):
    browser = site.browser("clinic")
    for sample in SAMPLES:
        answer = browser.post(UPLOAD, data=sample.write(counts(samples=5000)), headers={"X-Filename": sample.name})
        assert answer.status == 201, (sample.name, answer.body)
        found = answer.json()
        assert found["analysis"]["format"] == sample.format
        kept_one = browser.get(f"{UPLOAD}/{found['sop_instance_uid']}/analysis").json()
        assert kept_one["device"] == found["analysis"]["device"]
        if sample.format == "muse":
            assert kept_one["device"]["measurements"]["pr_interval_ms"] == 156
            assert kept_one["device"]["statements"] == ["Sinus rhythm"]


def test_a_matlab_record_is_taken_when_gain_rate_and_leads_are_declared(site):
    query = f"{UPLOAD}?gain_uv=1000&sampling_frequency_hz=500&leads={','.join(LEADS)}"
    answer = site.browser("clinic").post(query, data=binary.matlab(counts(samples=5000)), headers={"X-Filename": "A1.mat"})
    assert answer.status == 201, answer.body
    assert answer.json()["analysis"]["leads"] == list(LEADS)


def bad_files(recording) -> dict[str, bytes]:
    good = as_dicom(recording)
    ct = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    return {
        "empty.dcm": b"",
        "text.txt": "这不是心电图".encode(),
        "truncated.dcm": good[: len(good) // 2],
        "no-gain.hea": as_wfdb(recording, gain="0")[0],
        "no-gain.csv": as_csv(recording, head=""),
        "a-ct.dcm": ct,
        "cut.scp": scp.written(counts(), LEADS)[:5000],
        "bomb.xml": markup.muse(counts(), LEADS, doctype='<!DOCTYPE RestingECG [<!ENTITY a "b">]>'),
        "no-gain.mwf": binary.mfer(counts(), LEADS, gain=False),
        "noise.bin": bytes(range(256)) * 40,
        "preamble.dcm": b"\0" * 128 + b"DICM" + b"\xff" * 64,
    }


def test_what_is_no_ecg_is_refused_with_a_sentence_and_nothing_is_kept(site, recording):
    browser = site.browser("clinic")
    for name, data in bad_files(recording).items():
        answer = browser.post(UPLOAD, data=data, headers={"X-Filename": name})
        assert 400 <= answer.status < 500, (name, answer.body)
        detail = json.loads(answer.body)["detail"]
        assert 10 < len(detail) < 600, name
        assert "Traceback" not in detail
    assert kept(site) == 0
    assert browser.post(UPLOAD, data=as_csv(recording), headers={"X-Filename": "a.csv"}).status == 201


def test_an_upload_beyond_the_bound_is_cut_off(site, monkeypatch):
    monkeypatch.setattr("web.api.ecg_uploads.MOST_BYTES", 100_000)
    answer = site.browser("clinic").post(UPLOAD, data=io.BytesIO(b"x" * 200_000), headers={"X-Filename": "a.csv"})
    assert (answer.status, answer.json()["code"]) == (413, "too-large")
    assert list(site.app[keys.UPLOADS].iterdir()) == []


def test_what_is_read_whole_has_a_smaller_bound(site):
    answer = site.browser("clinic").post(
        UPLOAD, data=io.BytesIO(b"I,II\n" + b"0,0\n" * 17_000_000), headers={"X-Filename": "a.csv"}
    )
    assert answer.status == 422
    assert "64 MB" in answer.json()["detail"]


def test_hours_are_taken_in_through_the_disk_and_kept_to_the_last_sample(site):
    minutes = heart(sinus(600), noise_mv=0.02)
    line = np.rint(minutes.millivolts * 1000).astype("<i2")[:, : 600 * 250]
    stored = np.tile(line, 15).T.tobytes()
    head = "day 2 250 2250000 9:30:00 02/03/2026\n" + "".join(f"day.dat 16 1000/mV 16 0 0 0 0 {name}\n" for name in ("II", "V5"))
    form = aiohttp.FormData()
    form.add_field("file", head.encode(), filename="day.hea")
    form.add_field("file", io.BytesIO(stored), filename="day.dat")
    browser = site.browser("clinic")
    answer = browser.post(f"{UPLOAD}?patient_id=P24", data=form)
    assert answer.status == 201, answer.body
    found = answer.json()
    assert [hour["seconds"] for hour in found["analysis"]["long"]["hours"]] == [3600, 3600, 1800]
    dataset = pydicom.dcmread(io.BytesIO(site.archive.read(site.clinic, found["sop_instance_uid"])))
    assert (dataset.PatientID, dataset.SOPClassUID.name) == ("P24", "General ECG Waveform Storage")
    assert dataset.WaveformSequence[0].WaveformData == stored
    assert list(site.app[keys.UPLOADS].iterdir()) == []


def test_a_broken_form_is_a_sentence(site):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\n", b"nothing", b"--x\r\nContent-Disposition: form-data\r\n\r\n"):
        answer = site.browser("clinic").post(UPLOAD, data=body, headers=headers)
        assert 400 <= answer.status < 500, answer.body


def test_a_field_that_is_wrong_is_named(site, recording):
    answer = site.browser("clinic").post(f"{UPLOAD}?sex=X", data=as_csv(recording))
    assert (answer.status, "sex" in answer.json()["detail"]) == (422, True)
    form = aiohttp.FormData()
    form.add_field("birth_date", "yesterday")
    form.add_field("file", as_csv(recording), filename="a.csv")
    answer = site.browser("clinic").post(UPLOAD, data=form)
    assert (answer.status, "birth_date" in answer.json()["detail"]) == (422, True)


def test_a_long_recording_brings_its_hours_and_episodes(site):
    recording = heart([*sinus(200), ("V", 0.5), ("V", 0.45), ("N", 1.0), *sinus(110)])
    browser = site.browser("clinic")
    answer = browser.post(f"{UPLOAD}?patient_id=P9", data=as_dicom(recording))
    assert answer.status == 201, answer.body
    long = answer.json()["analysis"]["long"]
    assert long["counts"]["couplet"] == 1
    (couplet,) = [episode for episode in long["episodes"] if episode["kind"] == "couplet"]
    uid, strip = answer.json()["sop_instance_uid"], couplet["strip"]
    assert strip["start_s"] < couplet["start_s"] < strip["start_s"] + strip["seconds"]
    shown = browser.get(f"{UPLOAD}/{uid}/waveform?start_s={strip['start_s']}&seconds={strip['seconds']}").json()
    assert len(shown["microvolts"][0]) == 2000
    assert browser.get(f"{UPLOAD}/{uid}/analysis").json()["long"]["hours"] == long["hours"]
