from __future__ import annotations

import hashlib
import tomllib

import numpy as np
import pydicom
import pytest

import sample_data
from ecg import formats, pipeline
from ecg.analysis import Severity
from sample_data import images, recordings
from sample_data.generate import generate, manifest


def listed() -> dict[str, dict[str, str]]:
    return {entry["path"]: entry for entry in tomllib.loads(sample_data.MANIFEST.read_text("utf-8"))["file"]}


def datasets() -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sample_data.studies()]


def kept(name: str) -> pydicom.FileDataset:
    return pydicom.dcmread(sample_data.FILES / "studies" / name)


def test_every_committed_file_is_in_the_manifest_with_its_digest_and_nothing_else_is():
    present = {path.relative_to(sample_data.FILES).as_posix(): path for path in sample_data.FILES.rglob("*") if path.is_file()}
    assert present.keys() == listed().keys()
    for name, entry in listed().items():
        assert hashlib.sha256(present[name].read_bytes()).hexdigest() == entry["sha256"], name
        assert entry["origin"]
        assert entry["licence"] == "Apache-2.0"


def test_the_samples_stay_small():
    sizes = [path.stat().st_size for path in sample_data.FILES.rglob("*") if path.is_file()]
    assert max(sizes) < 2_000_000
    assert sum(sizes) < 4_000_000


def test_studies_and_uploads_name_every_file():
    assert len(sample_data.studies()) + len(sample_data.uploads()) == len(listed())


def test_nobody_in_the_samples_could_be_taken_for_a_real_patient():
    for one in datasets():
        assert str(one.SpecificCharacterSet) == "GB18030"
        assert str(one.PatientID).startswith("DEMO-")
        assert one.PatientName.ideographic.startswith("示例^")
        assert one.PatientName.alphabetic.startswith("Shili^")


def test_every_uid_is_valid_and_every_object_its_own():
    identifiers = [one.SOPInstanceUID for one in datasets()]
    assert len(set(identifiers)) == len(identifiers)
    for one in datasets():
        for uid in (one.SOPInstanceUID, one.SeriesInstanceUID, one.StudyInstanceUID):
            assert uid.is_valid
            assert uid.startswith("2.25.")


def test_the_ct_is_one_contiguous_volume_with_a_bleeding_that_windowing_shows():
    slices = [pydicom.dcmread(path) for path in sorted((sample_data.FILES / "studies" / "ct-head").iterdir())]
    assert len(slices) >= 60
    levels = [float(one.ImagePositionPatient[2]) for one in slices]
    assert np.allclose(np.diff(levels), float(slices[0].SliceThickness))
    assert [int(one.InstanceNumber) for one in slices] == list(range(1, len(slices) + 1))
    middle = slices[24]
    hounsfield = middle.pixel_array * float(middle.RescaleSlope) + float(middle.RescaleIntercept)
    left, right = hounsfield[120:136, 153:163], hounsfield[120:136, 93:103]
    assert 55 < left.mean() < 75
    assert 20 < right.mean() < 45
    assert hounsfield.max() > 1000
    assert hounsfield.min() < -950


def test_the_plate_uses_its_twelve_bits():
    plate = kept("cr-chest.dcm")
    assert (plate.Modality, plate.PhotometricInterpretation, plate.BitsStored) == ("CR", "MONOCHROME2", 12)
    assert 3500 < plate.pixel_array.max() <= 4095


def test_the_cine_has_colour_and_moves():
    cine = kept("us-heart.dcm")
    assert cine.PhotometricInterpretation == "YBR_FULL_422"
    frames = cine.pixel_array
    assert frames.shape[0] == cine.NumberOfFrames >= 30
    assert np.abs(frames[0].astype(int) - frames[9]).mean() > 2


@pytest.mark.parametrize(
    ("key", "severity"),
    [
        ("ecg-normal", Severity.NORMAL),
        ("ecg-atrial-fibrillation", None),
        ("ecg-inferior-st-elevation", Severity.CRITICAL),
        ("ecg-complete-av-block", Severity.CRITICAL),
    ],
)
def test_each_ecg_is_what_it_is_called(key, severity):
    analysis = pipeline.analyse(formats.read({f"{key}.dcm": (sample_data.FILES / "studies" / f"{key}.dcm").read_bytes()}))
    if severity is None:
        assert any("fibrillation" in statement.text.en.lower() for statement in analysis.statements)
    else:
        assert analysis.severity is severity


def test_the_uploads_are_read_without_a_question():
    files = {path.name: path.read_bytes() for path in sample_data.uploads()}
    record = formats.read({name: content for name, content in files.items() if name.startswith("demo_af")})
    table = formats.read({name: content for name, content in files.items() if name.endswith(".csv")})
    assert (len(record.leads), record.sampling_frequency_hz) == (12, 500)
    assert (len(table.leads), table.sampling_frequency_hz) == (12, 250)
    assert 0.5 < np.nanmax(np.abs(record.millivolts)) < 5
    assert 0.5 < np.nanmax(np.abs(table.millivolts)) < 5


def test_the_generator_makes_the_committed_pictures_again():
    """Pixels, not bytes: another processor may round the last digit of the noise, another codec version pack it otherwise."""
    series = images.ct_series()
    first = next(series)
    committed = kept("ct-head/001.dcm")
    assert first.SOPInstanceUID == committed.SOPInstanceUID
    assert np.abs(first.pixel_array.astype(int) - committed.pixel_array.astype(int)).max() <= 1
    plate = images.cr_plate()
    assert np.abs(plate.pixel_array.astype(int) - kept("cr-chest.dcm").pixel_array.astype(int)).max() <= 1


def test_the_generator_makes_the_committed_recordings_again():
    for sample in recordings.SAMPLES:
        made = formats.read({"made.dcm": recordings.as_dicom(sample)}).millivolts
        committed = formats.read({"kept.dcm": (sample_data.FILES / "studies" / f"{sample.key}.dcm").read_bytes()}).millivolts
        assert np.nanmax(np.abs(made - committed)) <= 0.0011


def test_generating_writes_a_manifest_of_what_it_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr("sample_data.images.ct_series", lambda: iter(()))
    monkeypatch.setattr("sample_data.images.us_cine", lambda: kept("us-heart.dcm"))
    out = tmp_path / "files"
    written = generate(out)
    entries = tomllib.loads(manifest(out, written))["file"]
    assert [out / entry["path"] for entry in entries] == written
    assert {entry["path"] for entry in entries} == {name for name in listed() if not name.startswith("studies/ct-head/")}
