"""The real files of the makers and databases, where TELEMED_TEST_DATA names them: read, compared, and written as DICOM."""

import csv
import time
from datetime import UTC, datetime
from pathlib import Path

import ludb
import numpy as np
import pydicom
import pytest
import wfdb as reference

from ecg import EcgError
from ecg.formats import Declared, dicom, read, wfdb
from ecg.recording import PatientTags, Recording

AT = datetime(2026, 3, 2, tzinfo=UTC)
UIDS = {"study_instance_uid": "1.2.3", "series_instance_uid": "1.2.3.1", "sop_instance_uid": "1.2.3.1.1"}

#: What the manifest calls the machine's own measurements -> our names.
NAMED = {
    "VentricularRate": "heart_rate_bpm",
    "PRInterval": "pr_interval_ms",
    "QRSDuration": "qrs_duration_ms",
    "QTInterval": "qt_interval_ms",
    "QTCorrected": "qtc_interval_ms",
    "RAxis": "qrs_axis_deg",
    "meanventrate": "heart_rate_bpm",
    "heartrate": "heart_rate_bpm",
    "meanprint": "pr_interval_ms",
    "print": "pr_interval_ms",
    "meanqrsdur": "qrs_duration_ms",
    "qrsdur": "qrs_duration_ms",
    "meanqtint": "qt_interval_ms",
    "qtint": "qt_interval_ms",
    "qrsfrontaxis": "qrs_axis_deg",
}


def recording_of(path: Path) -> Recording:
    files = {path.name: path.read_bytes()}
    if path.suffix == ".hea":
        files = wfdb.collected(path.name, lambda name: found.read_bytes() if (found := path.with_name(name)).exists() else None)
    bare = path.suffix == ".mat" and not path.with_suffix(".hea").exists()
    return read(files, declared=Declared(1000, 500) if bare else None)


def manifest() -> list[dict[str, str]]:
    with (ludb.data() / "MANIFEST.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_valid_file_is_read_with_the_rate_and_leads_the_manifest_names():
    for row in manifest():
        if row["set"] == "malformed" or row["format"] == "csv":  # the one CSV names no leads
            continue
        began = time.process_time()
        recording = recording_of(ludb.data() / row["path"])
        assert time.process_time() - began < 1, row["path"]
        assert recording.sampling_frequency_hz == pytest.approx(float(row["fs"]), abs=0.01), row["path"]
        assert recording.duration_s == pytest.approx(float(row["dur_s"] or recording.duration_s), abs=1.1), row["path"]
        assert np.isfinite(recording.millivolts).any(), row["path"]


def test_every_malformed_file_is_one_sentence():
    for path in sorted((ludb.data() / "malformed").iterdir()):
        began = time.process_time()
        with pytest.raises(EcgError, match=r"\.$"):
            read({path.name: path.read_bytes()})
        assert time.process_time() - began < 1


def test_wfdb_records_agree_to_the_last_bit_with_the_reference_library():
    for row in manifest():
        path = ludb.data() / row["path"]
        if path.suffix != ".hea" or (path.parent.name in {"ludb", "cpsc2019"} and sum(path.stem.encode()) % 4):
            continue
        theirs = reference.rdrecord(str(path.with_suffix("")))
        volts = [column for column, unit in enumerate(theirs.units) if unit.lower() == "mv"]
        np.testing.assert_array_equal(recording_of(path).millivolts, theirs.p_signal[:, volts].T, err_msg=row["path"])


def test_the_dicom_file_agrees_with_pydicom():
    path = ludb.data() / "dicom" / "pydicom_waveform_ecg.dcm"
    theirs = pydicom.dcmread(path).waveform_array(0).T / 1000
    np.testing.assert_allclose(recording_of(path).millivolts, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("one", "other", "within_mv"),
    [
        ("scp/Example.scp", "aecg/Example aECG.xml", 1e-9),
        ("aecg/subject1_0.xml", "aecg/Example aECG.xml", 1e-9),
        ("sierra/ad4d3d80-d165_1-04_orig.xml", "sierra/ad4d3d80-d165_1-04_converted.xml", 0.0201),  # it filtered once more
    ],
)
def test_one_recording_in_two_formats_is_the_same(one: str, other: str, within_mv: float):
    first, second = recording_of(ludb.data() / one), recording_of(ludb.data() / other)
    for lead in first.names:
        np.testing.assert_allclose(first.lead(lead), second.lead(lead), rtol=0, atol=within_mv, err_msg=lead)
    for name in ("pr_interval_ms", "qrs_duration_ms", "qt_interval_ms"):
        assert first.device[name] == second.device[name]


def test_the_contec_machines_file_agrees_with_what_was_exported_from_it():
    ours = recording_of(ludb.data() / "contec" / "0000050.ECG")
    path = ludb.data() / "csv" / "0000050.ECG.csv"
    declared = Declared(5, 800, tuple(ours.names))
    exported = read({path.name: path.read_bytes()}, declared=declared)
    stored = [ours.rows[lead] for lead in ("I", "II", "III")]
    np.testing.assert_allclose(ours.millivolts[stored], exported.millivolts[stored], atol=1e-9)
    assert np.isnan(exported.millivolts[6:]).all()
    assert np.isnan(ours.millivolts[6:]).all()


def test_the_measurements_of_muse_and_sierra_come_out_as_the_machine_wrote_them():
    compared = 0
    for row in manifest():
        stated = dict(item.split("=", 1) for item in row["device_measurements"].split("; ") if "=" in item)
        device = recording_of(ludb.data() / row["path"]).device if stated else {}
        for theirs, ours in NAMED.items():
            if theirs in stated:
                assert device[ours] == float(stated[theirs]), (row["path"], theirs)
                compared += 1
    assert compared >= 20


def test_every_recording_reads_back_from_its_dicom_object():
    folders = {"scp", "aecg", "muse", "sierra", "mfer", "edf", "contec", "dicom", "cinc2021", "ptbxl100", "ptbdb", "cpsc2018"}
    for row in manifest():
        path = ludb.data() / row["path"]
        if path.parent.name not in folders:
            continue
        recording = recording_of(path)
        again = read({"x.dcm": dicom.write(recording, recording.patient or PatientTags(), **UIDS, acquired_at=AT)})
        exact = 1e-9 if recording.resolution_mv else 1e-4  # what lies on no grid is kept as fine as 16 bits can
        np.testing.assert_allclose(again.millivolts, recording.millivolts, rtol=0, atol=exact, err_msg=row["path"])
        assert (again.names, again.sampling_frequency_hz) == (recording.names, recording.sampling_frequency_hz)
        assert (again.device, again.device_statements) == (recording.device, recording.device_statements)
