"""What holds for every format alike: nothing is lost on reading and converting, and nothing but a sentence comes of damage."""

import random
import time
from datetime import date, datetime

import numpy as np
import pydicom
import pytest
from support.ecg_files import LEADS, SAMPLES, Sample, binary, counts

from ecg import EcgError
from ecg.formats import Declared, dicom, read
from ecg.recording import UNSTATED_ZONE, PatientTags, Recording

STEP_MV = 0.005
UIDS = {"study_instance_uid": "1.2.3", "series_instance_uid": "1.2.3.1", "sop_instance_uid": "1.2.3.1.1"}
AT = datetime(2026, 3, 2, 1, 30, tzinfo=UNSTATED_ZONE)

MEASURED = {"pr_interval_ms": 156.0, "qrs_duration_ms": 92.0, "qrs_axis_deg": 34.0}
DEVICE = {"aecg": MEASURED, "muse": MEASURED, "sierra": MEASURED}
DEVICE["scp-ecg"] = {
    "pr_interval_ms": 160.0,
    "qrs_duration_ms": 92.0,
    "qt_interval_ms": 400.0,
    "qrs_axis_deg": 34.0,
    "qtc_bazett_ms": 425.0,
}

every = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def millivolts(recording: Recording, leads: tuple[str, ...]) -> np.ndarray:
    return np.stack([recording.millivolts[recording.rows[lead]] for lead in leads])


@every
def test_samples_leads_rate_and_time_come_as_they_were_written(sample: Sample):
    rows = counts()
    recording = read({sample.name: sample.write(rows)})
    assert recording.format == sample.format
    assert recording.started_at == AT
    assert recording.sampling_frequency_hz == (800 if sample.format == "contec" else 500)
    np.testing.assert_allclose(millivolts(recording, sample.leads), rows[: len(sample.leads)] * STEP_MV, rtol=0, atol=1e-12)
    halved = {lead for lead in recording.names if lead.startswith("aV") and lead not in sample.leads}
    assert recording.resolution_mv == pytest.approx([STEP_MV / 2 if lead in halved else STEP_MV for lead in recording.names])


@every
def test_the_patient_is_the_one_the_file_names(sample: Sample):
    patient = read({sample.name: sample.write(counts())}).patient
    assert patient is not None
    if sample.format == "contec":
        assert (patient.patient_id, patient.name, patient.sex, patient.age_years) == ("0000007", "WANG", "F", 66)
    else:
        name = patient.name.replace(" ", "^")  # EDF+ has no separator of its own
        assert (patient.patient_id, name, patient.sex, patient.birth_date) == ("P-7", "WANG^Fang", "F", date(1960, 1, 31))


@every
def test_the_machines_own_measurements_words_and_filters_are_kept(sample: Sample):
    recording = read({sample.name: sample.write(counts())})
    assert DEVICE.get(sample.format, {}).items() <= dict(recording.device).items()
    if sample.format in {"scp-ecg", "muse", "sierra"}:
        assert recording.device_statements == ("Sinus rhythm",)
    if sample.format in {"scp-ecg", "muse", "sierra", "edf", "bdf"}:
        assert recording.filters is not None
        assert {(each.high_pass_hz, each.low_pass_hz, each.notch_hz) for each in recording.filters} == {(0.05, 150, 50)}


@every
def test_the_dicom_object_reads_back_as_the_file_did(sample: Sample):
    recording = read({sample.name: sample.write(counts())})
    content = dicom.write(recording, recording.patient or PatientTags(), **UIDS, acquired_at=AT)
    again = read({"a.dcm": content})
    np.testing.assert_allclose(again.millivolts, recording.millivolts, rtol=0, atol=1e-9)
    assert (again.names, again.sampling_frequency_hz) == (recording.names, recording.sampling_frequency_hz)
    assert (again.device, again.device_statements) == (recording.device, recording.device_statements)
    assert again.filters == (recording.filters or again.filters)


@every
def test_a_file_cut_off_anywhere_is_one_sentence_or_what_is_whole(sample: Sample):
    data = sample.write(counts())
    for sixteenth in range(1, 16):
        survives({sample.name: data[: len(data) * sixteenth // 16]})


@every
def test_a_damaged_file_is_one_sentence_or_still_a_recording(sample: Sample):
    data, chance = sample.write(counts(samples=300)), random.Random(sample.name)
    for _ in range(150):
        changed = bytearray(data)
        span = chance.choice((len(changed), min(len(changed), 1500)))
        for _ in range(chance.choice((1, 3, 20))):
            changed[chance.randrange(span)] = chance.choice((0, 255, ord("9"), chance.randrange(256)))
        if chance.random() < 0.3:
            del changed[chance.randrange(span) :][: chance.randrange(1, 40)]
        survives({sample.name: bytes(changed)})


def survives(files: dict[str, bytes], declared: Declared | None = None) -> None:
    began = time.process_time()
    try:
        read(files, declared=declared)
    except EcgError as error:
        sentence = str(error)
        assert "\n" not in sentence
        assert sentence.endswith(".")
    assert time.process_time() - began < 1


def test_a_matlab_record_needs_its_gain_and_rate_declared():
    rows = counts()
    for compressed in (True, False):
        data = {"A1.mat": binary.matlab(rows, compressed=compressed)}
        recording = read(data, declared=Declared(1000, 500))
        assert recording.names == LEADS
        np.testing.assert_array_equal(recording.millivolts, rows * 5.0 / 1000)
        assert recording.patient == PatientTags(sex="F", age_years=66)
        with pytest.raises(EcgError, match="carries no gain"):
            read(data)


def test_a_damaged_matlab_record_is_one_sentence():
    data, chance = binary.matlab(counts(samples=200), compressed=False), random.Random(3)
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 5))):
            changed[chance.randrange(128, 700)] = chance.choice((0, 255, chance.randrange(256)))
        survives({"A1.mat": bytes(changed)}, Declared(1000, 500))


def test_a_file_of_no_format_is_told_which_there_are():
    with pytest.raises(EcgError, match=r"no ECG in a format that is read here \(dicom, scp-ecg, aecg, muse"):
        read({"letter.docx": b"PK\3\4 whatever"})


@pytest.mark.parametrize("sample", [each for each in SAMPLES if each.leads == LEADS][:1], ids=lambda sample: sample.name)
def test_the_dicom_object_of_twelve_leads_is_a_twelve_lead_ecg(sample: Sample, tmp_path):
    recording = read({sample.name: sample.write(counts())})
    (tmp_path / "a.dcm").write_bytes(dicom.write(recording, PatientTags("P-7"), **UIDS, acquired_at=AT))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.SOPClassUID == dicom.TWELVE_LEAD
    measured = [item for item in dataset.WaveformAnnotationSequence if "NumericValue" in item]
    assert {item.ConceptNameCodeSequence[0].CodeMeaning for item in measured} >= {"PR interval global", "QRS axis"}
