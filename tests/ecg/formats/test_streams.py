from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from support.ecg_files import binary, counts
from support.long_hearts import heart, sinus

from ecg import EcgError
from ecg.formats import dicom, read, streams
from ecg.formats.wfdb import collected
from ecg.formats.wfdb.signals import FORMATS
from ecg.recording import PatientTags

UIDS = {"study_instance_uid": "1.2.3", "series_instance_uid": "1.2.3.4", "sop_instance_uid": "1.2.3.4.5"}


def piecewise(path: Path, whole: np.ndarray) -> None:
    source = streams.opened(path)
    assert source.samples == whole.shape[1]
    for first, count in ((0, 1), (0, source.samples), (1, 7), (37, 211), (source.samples - 5, 5), (source.samples // 2, 3)):
        np.testing.assert_array_equal(source.read(first, count), whole[:, first : first + count])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("per_frame", [1, 2])
def test_pieces_of_a_wfdb_record_are_those_of_the_whole(form: str, per_frame: int, tmp_path: Path):
    lines = [f"r.dat {form}x{per_frame}+24 200/mV 12 0 0 0 0 {name}" for name in ("I", "II", "V1")]
    (tmp_path / "r.hea").write_text("\n".join(["r 3 250 601", *lines]) + "\n")
    (tmp_path / "r.dat").write_bytes(np.random.default_rng(1).integers(0, 256, 24 + 601 * 3 * per_frame * 4, np.uint8).tobytes())
    piecewise(tmp_path / "r.hea", read(collected("r.hea", lambda name: (tmp_path / name).read_bytes())).millivolts)


@pytest.mark.parametrize("width", [2, 3])
def test_pieces_of_an_edf_file_are_those_of_the_whole(width: int, tmp_path: Path):
    path = tmp_path / "r.edf"
    path.write_bytes(binary.edf(counts(2, 1000), ("ECG I", "ECG II"), width=width))
    whole = read({path.name: path.read_bytes()})
    piecewise(path, whole.millivolts)
    source = streams.opened(path)
    assert (source.leads, source.started_at, source.patient) == (whole.leads, whole.started_at, whole.patient)


def test_an_interrupted_edf_file_is_read_whole(tmp_path: Path):
    path = tmp_path / "r.edf"
    path.write_bytes(binary.edf(counts(2, 1000), ("I", "II"), onsets=[0, 1, 2, 5, 6, 7, 8, 9, 10, 11]))
    piecewise(path, read({path.name: path.read_bytes()}).millivolts)


def test_pieces_of_a_large_dicom_object_are_those_of_the_whole(tmp_path: Path):
    recording = replace(heart(sinus(30 * 60), rate=300, leads=3), device={"pr_interval_ms": 160.0}, device_statements=("normal",))
    path = tmp_path / "r.dcm"
    path.write_bytes(dicom.write(recording, PatientTags("7"), acquired_at=datetime(2026, 1, 2, tzinfo=UTC), **UIDS))
    assert path.stat().st_size > 2 * streams.LARGE_BYTES
    piecewise(path, read({path.name: path.read_bytes()}).millivolts)
    source = streams.opened(path)
    assert source.started_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert source.patient is not None
    assert source.patient.patient_id == "7"
    assert (dict(source.device), source.device_statements) == ({"pr_interval_ms": 160.0}, ("normal",))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(EcgError, match="cut off"):
        streams.opened(path)


@pytest.mark.parametrize("width", [2, 3])
def test_a_file_on_the_disk_becomes_the_dicom_object_of_the_whole(width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "r.edf"
    path.write_bytes(binary.edf(counts(2, 1000), ("ECG I", "ECG II"), width=width))
    given = {"patient": PatientTags("7"), "acquired_at": datetime(2026, 1, 2, tzinfo=UTC), **UIDS}
    whole = dicom.write(read({path.name: path.read_bytes()}), **given)
    monkeypatch.setattr(streams, "PIECE_SAMPLES", 300)
    with (tmp_path / "r.dcm").open("wb") as file:
        dicom.write_to(file, streams.opened(path), **given)
    assert (tmp_path / "r.dcm").read_bytes() == whole


def test_more_than_one_dicom_value_holds_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ecg.formats.dicom.writing.UNDEFINED_LENGTH", 5000)
    with pytest.raises(EcgError, match="more than one object holds"):
        dicom.write(heart(sinus(10)), PatientTags("7"), acquired_at=datetime(2026, 1, 2, tzinfo=UTC), **UIDS)


@pytest.mark.parametrize("name", ["r.hea", "r.dcm", "r.edf", "r.bin"])
def test_what_is_no_recording_is_refused_in_a_sentence(name: str, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes((b"0       " + b"x" * 300) if name == "r.edf" else b"\0" * 128 + b"DICM" + b"\1" * 3_000_000)
    with pytest.raises(EcgError):
        streams.opened(path)


def test_a_record_shorter_than_announced_is_refused(tmp_path: Path):
    (tmp_path / "r.hea").write_text("r 1 250 1000\nr.dat 16 200 16 0 0 0 0 II\n")
    (tmp_path / "r.dat").write_bytes(bytes(1000))
    with pytest.raises(EcgError, match="hold 500"):
        streams.opened(tmp_path / "r.hea")
