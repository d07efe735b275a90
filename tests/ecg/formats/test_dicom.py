import io
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from ecg import EcgError
from ecg.formats import Declared, read
from ecg.formats.dicom import AMBULATORY, GENERAL, TWELVE_LEAD, write
from ecg.recording import PatientTags, Recording
from sample_data.ecg_synthesis import synthesise

PATIENT = PatientTags("P-1", "王^芳", "F", date(1960, 1, 31))
UIDS = {"study_instance_uid": "1.2.3", "series_instance_uid": "1.2.3.1", "sop_instance_uid": "1.2.3.1.1"}
AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def written(recording: Recording, **more: str) -> bytes:
    return write(recording, PATIENT, **UIDS, acquired_at=AT, **more)


def real() -> bytes:
    path = get_testdata_file("waveform_ecg.dcm")
    with open(str(path), "rb") as file:  # noqa: PTH123 - pydicom gives a string
        return file.read()


def changed(data: bytes, **attributes: object) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(data))
    group = dataset.WaveformSequence[0]
    for name, value in attributes.items():
        for item in (group, *group.ChannelDefinitionSequence):
            if name in item:
                if value is None:
                    delattr(item, name)
                else:
                    setattr(item, name, value)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def test_the_rhythm_strip_is_read_and_not_the_median_beat():
    recording = read({"waveform_ecg.dcm": real()})
    assert recording.names == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    assert (recording.sampling_frequency_hz, recording.duration_s) == (1000.0, 10.0)
    assert recording.millivolts[0, :2].tolist() == pytest.approx([0.1, 0.08125])
    assert recording.resolution_mv == (0.00125,) * 12


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "GB18030"])
def test_writing_and_reading_again_keeps_samples_to_half_a_step_and_the_name(character_set: str):
    recording = synthesise("normal", seed=1)
    again = read({"x.dcm": written(recording, character_set=character_set)})
    assert np.abs(again.millivolts - recording.millivolts).max() <= 0.0005
    assert (again.patient, again.started_at, again.names) == (PATIENT, AT, recording.names)


def test_the_same_arguments_write_the_same_bytes():
    assert written(synthesise("normal", seed=1)) == written(synthesise("normal", seed=1))


def test_an_offset_beyond_sixteen_bits_is_kept_as_a_baseline():
    recording = synthesise("normal", seed=1)
    far = replace(recording, millivolts=recording.millivolts + 400.0)
    again = read({"x.dcm": written(far)})
    assert np.abs(again.millivolts - far.millivolts).max() <= 0.0005


def test_missing_samples_stay_missing():
    recording = synthesise("normal", seed=1)
    holed = np.array(recording.millivolts)
    holed[3, 100:200] = np.nan
    again = read({"x.dcm": written(replace(recording, millivolts=holed))})
    assert (np.isnan(again.millivolts) == np.isnan(holed)).all()


@pytest.mark.parametrize(("rate", "leads", "sop_class"), [(500, 12, TWELVE_LEAD), (500, 3, GENERAL), (128, 2, AMBULATORY)])
def test_the_storage_class_is_the_one_whose_limits_hold_the_recording(rate: int, leads: int, sop_class: str):
    recording = synthesise("normal", seed=1, rate=rate)
    resolution = recording.resolution_mv[:leads] if recording.resolution_mv else None
    part = replace(
        recording, leads=recording.leads[:leads], millivolts=recording.millivolts[:leads].copy(), resolution_mv=resolution
    )
    assert pydicom.dcmread(io.BytesIO(written(part))).SOPClassUID == sop_class


def test_twelve_stored_bits_are_extended_by_their_own_sign():
    dataset = pydicom.dcmread(io.BytesIO(real()))
    group = dataset.WaveformSequence[0]
    group.WaveformData = (np.frombuffer(group.WaveformData, "<i2") & 0x0FFF).astype("<i2").tobytes()
    for channel in group.ChannelDefinitionSequence:
        channel.WaveformBitsStored = 12
    out = io.BytesIO()
    dataset.save_as(out)
    assert (read({"x.dcm": out.getvalue()}).millivolts == read({"x.dcm": real()}).millivolts).all()


def test_a_waveform_without_sensitivity_is_refused_unless_the_gain_is_declared():
    bare = changed(real(), ChannelSensitivity=None)
    with pytest.raises(EcgError, match="carries no gain for lead I "):
        read({"bare.dcm": bare})
    again = read({"bare.dcm": bare}, declared=Declared(gain_uv_per_unit=1.25))
    assert (again.millivolts == read({"x.dcm": real()}).millivolts).all()


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom remarks on what it meets in a broken file
@pytest.mark.parametrize("length", [140, 400, 3000, 100_000])
def test_a_truncated_file_is_one_sentence(length: int):
    with pytest.raises(EcgError, match=r"^cut\.dcm .*\.$|^cut\.dcm is "):
        read({"cut.dcm": real()[:length]})


def test_an_image_is_said_to_hold_no_waveform():
    with open(str(get_testdata_file("CT_small.dcm")), "rb") as file:  # noqa: PTH123 - pydicom gives a string
        image = file.read()
    with pytest.raises(EcgError, match="holds no waveform"):
        read({"ct.dcm": image})
