import time
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicom_node.archive.header import read_header, read_identity
from dicom_node.archive.part10 import preface, read_preface
from dicom_node.archive.scan import DEFLATED, MAX_DEPTH, holds
from telemed.kernel.errors import Invalid

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CT = (FILES / "CT_small.dcm").read_bytes()
BEGIN = read_preface(memoryview(CT)).length
DATA = CT[BEGIN:]
EXPLICIT, BIG, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2"


def read(data, syntax=EXPLICIT):
    return read_header(memoryview(data), syntax)


def outcome(data, syntax=EXPLICIT):
    """Return "read" or "refused", and fail on anything else or anything slow, or if its identity alone were read otherwise."""
    began = time.monotonic()
    try:
        header = read(data, syntax)
        said, told = "read", (header.sop_class_uid, header.sop_instance_uid)
    except Invalid as error:
        said, told = "refused", error.sentence
    assert time.monotonic() - began < 5
    try:
        identified = read_identity(memoryview(data), syntax)
    except Invalid as error:
        identified = error.sentence
    assert identified == told
    return said


def read_file(path):
    data = memoryview(path.read_bytes())
    before = read_preface(data)
    return read_header(data[before.length :], before.transfer_syntax_uid)


@pytest.mark.parametrize(
    "name",
    ["CT_small", "MR_small", "MR_small_bigendian", "MR_small_implicit", "image_dfl", "rtplan", "waveform_ecg", "test-SR"],
)
def test_the_walk_reads_what_pydicom_reads(name):
    header, dataset = read_file(FILES / f"{name}.dcm"), pydicom.dcmread(FILES / f"{name}.dcm")
    assert header.sop_instance_uid == dataset.SOPInstanceUID
    assert header.sop_class_uid == dataset.SOPClassUID
    assert (header.study_instance_uid, header.series_instance_uid) == (dataset.StudyInstanceUID, dataset.SeriesInstanceUID)
    assert header.patient_name.alphabetic == str(dataset.get("PatientName", "")).strip("^ ")
    assert header.patient_id == dataset.get("PatientID", "")
    assert (header.rows, header.columns) == (dataset.get("Rows"), dataset.get("Columns"))
    assert header.modality == dataset.Modality
    assert header.instance_attributes.get("PixelData", False) is ("PixelData" in dataset)
    assert header.instance_attributes.get("WaveformSequence", False) is ("WaveformSequence" in dataset)


def ecg(change, syntax, *, announced):
    """Return the data set of pydicom's 12-lead ECG in *syntax*, once *change* saw each of its channels."""
    dataset = pydicom.dcmread(FILES / "waveform_ecg.dcm")
    dataset["WaveformSequence"].is_undefined_length = not announced
    for group in dataset.WaveformSequence:
        group.is_undefined_length_sequence_item = not announced
        group["ChannelDefinitionSequence"].is_undefined_length = not announced
        for number, channel in enumerate(group.ChannelDefinitionSequence):
            channel.is_undefined_length_sequence_item = not announced
            change(number, channel)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = syntax != BIG, syntax == IMPLICIT
    write_dataset(out, pydicom.Dataset({element.tag: element for element in dataset}))
    return out.getvalue()


def silence(_, channel):
    del channel.ChannelSensitivity


def empty(_, channel):
    channel.ChannelSensitivity = None


def silence_all_but_the_last(number, channel):
    if number < 11:
        del channel.ChannelSensitivity


@pytest.mark.parametrize("announced", [True, False], ids=["lengths announced", "lengths undefined"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_an_ecg_none_of_whose_channels_has_a_sensitivity_is_refused(syntax, announced):
    for change in (silence, empty):
        with pytest.raises(Invalid, match="carries no gain") as refused:
            read(ecg(change, syntax, announced=announced), syntax)
        assert refused.value.code == "uncalibrated"
    assert read(ecg(silence_all_but_the_last, syntax, announced=announced), syntax).modality == "ECG"


def test_sequences_in_an_ecg_are_followed_to_a_fixed_depth_only():
    nested = b"\x00\x54\x00\x01SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * (2 * MAX_DEPTH + 1)
    with pytest.raises(Invalid, match="nested"):
        holds(memoryview(nested), EXPLICIT, (0x54000100, 0x003A0200, 0x003A0210))


PIXELS = DATA.index(b"\xe0\x7f\x10\x00")


@given(st.integers(0, 400) | st.integers(PIXELS + 1, DATA.index(b"\xfc\xff\xfc\xff") - 1))
@settings(max_examples=150, deadline=None)
def test_any_truncation_inside_the_identity_or_the_pixels_is_refused(length):
    assert outcome(DATA[:length]) == "refused"


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_mutation_is_read_or_refused(changes):
    data = bytearray(DATA)
    for position, value in changes:
        data[position] = value
    for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED):
        assert outcome(bytes(data), syntax) in {"read", "refused"}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED, "1.2.3.private"):
        assert outcome(data, syntax) in {"read", "refused"}
    try:
        read_preface(memoryview(b"\0" * 128 + b"DICM" + data))
    except Invalid:
        return


def test_deep_nesting_and_countless_items_are_bounded():
    sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    with pytest.raises(Invalid, match="nested"):
        read(sequence * 10_000)
    items = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * 400_000 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert outcome(items + DATA) in {"read", "refused"}
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    nested = sequence * (MAX_DEPTH // 2) + ends * (MAX_DEPTH // 2)
    assert read(DATA + nested).rows == 128


def test_a_deflated_bomb_is_refused_in_bounded_memory():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(DATA) + packer.flush(zlib.Z_FULL_FLUSH)
    mebibyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = head + mebibyte * 600 + packer.flush()
    assert len(bomb) < 1 << 20
    with pytest.raises(Invalid, match="inflates to more"):
        read(bomb, DEFLATED)
    whole = (FILES / "image_dfl.dcm").read_bytes()
    before = read_preface(memoryview(whole))
    with pytest.raises(Invalid, match="truncated"):
        read(whole[before.length : -100], DEFLATED)


def test_the_preface_is_what_ps3_10_asks_for(tmp_path):
    (tmp_path / "whole.dcm").write_bytes(preface("1.2.3", "1.2.3.4", EXPLICIT) + DATA)
    dataset = pydicom.dcmread(tmp_path / "whole.dcm")
    assert dataset.file_meta.MediaStorageSOPClassUID == "1.2.3"
    assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
    assert read_preface(memoryview((tmp_path / "whole.dcm").read_bytes())).length == len(preface("1.2.3", "1.2.3.4", EXPLICIT))


def test_a_bare_data_set_is_recognised_as_one():
    assert read_preface(memoryview(DATA)).length == 0
    assert read_preface(memoryview(DATA)).transfer_syntax_uid == EXPLICIT
