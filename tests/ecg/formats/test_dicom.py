import io
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian
from support import dcmtk

from ecg import EcgError
from ecg.formats import Declared, read
from ecg.formats.dicom import AMBULATORY, GENERAL, GENERAL_32_BIT, TWELVE_LEAD, write
from ecg.recording import Filters, PatientTags, Recording
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


def group_of(
    rows: np.ndarray, leads: tuple[str, ...], cell: str = "<i2", interpretation: str = "SS", **attributes: object
) -> Dataset:
    """Return one multiplex group of stored numbers (leads, samples), 5 microvolts a step."""
    source = pydicom.dcmread(io.BytesIO(written(synthesise("normal", seed=1)))).WaveformSequence[0]
    group = Dataset()
    group.WaveformOriginality, group.SamplingFrequency = "ORIGINAL", 500
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = rows.shape
    group.ChannelDefinitionSequence = []
    for lead in leads:
        channel = deepcopy(source.ChannelDefinitionSequence[0])
        channel.ChannelLabel, channel.ChannelSensitivity, channel.WaveformBitsStored = lead, 5, np.dtype(cell).itemsize * 8
        channel.ChannelSourceSequence[0].CodeValue = channel.ChannelSourceSequence[0].CodeMeaning = lead
        group.ChannelDefinitionSequence.append(channel)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = np.dtype(cell).itemsize * 8, interpretation
    vr = "OB" if np.dtype(cell).itemsize == 1 else "OW"
    group.add_new("WaveformData", vr, rows.T.astype(cell).tobytes())
    for name, value in attributes.items():
        if name in {"ChannelSampleSkew", "ChannelTimeSkew", "ChannelSensitivityCorrectionFactor", "ChannelBaseline"}:
            setattr(group.ChannelDefinitionSequence[-1], name, value)
        elif name == "WaveformPaddingValue":
            group.add_new(name, vr, value)
        else:
            setattr(group, name, value)
    return group


def object_of(*groups: Dataset, syntax: str = ExplicitVRLittleEndian) -> dict[str, bytes]:
    dataset = pydicom.dcmread(io.BytesIO(written(synthesise("normal", seed=1))))
    fresh = Dataset()
    fresh.update(dataset)
    fresh.WaveformSequence, fresh.file_meta = list(groups), dataset.file_meta
    fresh.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    fresh.save_as(out, enforce_file_format=True)
    return {"a.dcm": out.getvalue()}


def test_eighteen_leads_of_two_groups_are_one_recording():
    leads = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V3R", "V4R", "V5R")
    rows = np.arange(14 * 500).reshape(14, 500) % 1000
    recording = read(object_of(group_of(rows[:8], leads[:8]), group_of(rows[8:], leads[8:])))
    assert recording.names == leads
    np.testing.assert_allclose(recording.millivolts, rows * 0.005)


def test_groups_of_other_times_lie_at_theirs_and_a_lead_is_taken_once():
    strip, early = np.arange(1000)[None], np.arange(250)[None]
    groups = [group_of(early, (lead,), MultiplexGroupTimeOffset=500 * at) for at, lead in enumerate(("I", "V1", "II"))]
    recording = read(object_of(*groups, group_of(strip, ("II",))))
    assert set(recording.names) == {"I", "V1", "II"}
    row = recording.lead("V1")
    assert row is not None
    assert np.flatnonzero(np.isfinite(row)).tolist() == [*range(250, 500)]
    assert recording.lead("II").tolist() == pytest.approx((strip[0] * 0.005).tolist())
    assert "Lead II is there twice" in recording.notes[0]


@pytest.mark.parametrize("skew", [{"ChannelSampleSkew": "3"}, {"ChannelTimeSkew": "0.006"}])
def test_a_channel_that_was_sampled_late_is_moved_to_its_time(skew: dict[str, str]):
    rows = np.arange(200).reshape(2, 100)
    recording = read(object_of(group_of(rows, ("I", "II"), **skew)))
    assert recording.millivolts.shape == (2, 103)
    assert np.isnan(recording.millivolts[1, :3]).all()
    np.testing.assert_allclose(recording.millivolts[1, 3:], rows[1] * 0.005)


def test_baseline_and_correction_factor_are_applied():
    rows = np.arange(200).reshape(2, 100)
    group = group_of(rows, ("I", "II"), ChannelBaseline="-20", ChannelSensitivityCorrectionFactor="1.1")
    np.testing.assert_allclose(read(object_of(group)).millivolts[1], rows[1] * 0.0055 - 0.020)


@pytest.mark.parametrize(
    ("cell", "interpretation", "padding"),
    [
        ("i1", "SB", b"\x80\0"),
        ("u1", "UB", b"\xff\0"),
        ("<i2", "SS", b"\0\x80"),
        ("<u2", "US", b"\xff\xff"),
        ("<i4", "SL", b"\0\0\0\x80"),
    ],
)
def test_every_kind_of_cell_is_read_and_its_padding_is_missing(cell: str, interpretation: str, padding: bytes):
    rows = np.arange(100).reshape(2, 50)
    rows[1, 7] = np.frombuffer(padding, cell, 1)[0]
    recording = read(object_of(group_of(rows, ("I", "II"), cell, interpretation, WaveformPaddingValue=padding)))
    assert np.flatnonzero(np.isnan(recording.millivolts)).tolist() == [57]
    np.testing.assert_allclose(recording.millivolts[0], rows[0] * 0.005)


def test_big_endian_samples_are_read_in_their_order():
    rows = np.arange(200).reshape(2, 100) - 50
    recording = read(object_of(group_of(rows, ("I", "II"), ">i2"), syntax=ExplicitVRBigEndian))
    np.testing.assert_allclose(recording.millivolts, rows * 0.005)


def test_numbers_beyond_sixteen_bits_are_kept_in_thirty_two():
    recording = synthesise("normal", seed=1)
    steps = np.round(recording.millivolts / 0.00001)
    fine = replace(recording, millivolts=steps * 0.00001 + 0.000004, resolution_mv=(0.00001,) * 12)
    data = written(fine)
    assert pydicom.dcmread(io.BytesIO(data)).SOPClassUID == GENERAL_32_BIT
    np.testing.assert_allclose(read({"x.dcm": data}).millivolts, fine.millivolts, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("rate", "seconds", "sop_class"), [(2000, 5, GENERAL_32_BIT), (500, 33, GENERAL), (500, 32, TWELVE_LEAD)]
)
def test_rate_and_length_decide_the_storage_class(rate: int, seconds: int, sop_class: str):
    ten = synthesise("normal", seed=1, rate=rate)
    long = replace(ten, millivolts=np.tile(ten.millivolts, 4)[:, : rate * seconds].copy())
    assert pydicom.dcmread(io.BytesIO(written(long))).SOPClassUID == sop_class


@pytest.mark.parametrize("step", [0.001, 0.0001, 0.00005, 0.00001])
def test_a_recording_of_unknown_resolution_keeps_the_grid_its_samples_lie_on(step: float):
    recording = synthesise("normal", seed=1)
    gridded = replace(recording, millivolts=np.round(recording.millivolts / step) * step, resolution_mv=None)
    np.testing.assert_allclose(read({"x.dcm": written(gridded)}).millivolts, gridded.millivolts, rtol=0, atol=1e-10)


def test_dcmtk_finds_the_object_whole(tmp_path):
    recording = replace(synthesise("normal", seed=1), filters=(Filters(0.05, 150, 50),) * 12, device={"pr_interval_ms": 156.0})
    (tmp_path / "x.dcm").write_bytes(written(recording))
    dumped = dcmtk.run("dcmdump", tmp_path / "x.dcm")
    assert dumped.returncode == 0
    for told in ("FilterLowFrequency", "NotchFilterFrequency", "WaveformAnnotationSequence", "TwelveLeadECGWaveformStorage"):
        assert told in dumped.stdout
    assert "W:" not in dumped.stderr + dumped.stdout
