"""Frames equal what pydicom makes of the same file, for every transfer syntax it ships an example of."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import JPEG2000Lossless

from dicom_node.imaging.frames import frame, stored_frame
from dicom_node.imaging.layout import layout_of
from telemed.kernel.errors import Invalid, NotFound

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
ONE_OF_EACH = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "JPEG2000.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "JPGExtended.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_rle_32bit_2frame.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "ExplVR_BigEnd.dcm",
    "rtdose.dcm",
    "rtdose_expb.dcm",
    "rtdose_rle.dcm",
    "liver_1frame.dcm",
    "liver_expb_1frame.dcm",
    "examples_palette.dcm",
    "examples_ybr_color.dcm",
    "MR_small_padded.dcm",
]
COSINE = {
    "JPGExtended.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm",
    "examples_ybr_color.dcm",
}


def reference(path: Path) -> tuple[np.ndarray, int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path)
        return data_set.pixel_array, int(data_set.get("NumberOfFrames", None) or 1)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_frame_is_what_pydicom_decodes(name):
    path = FOLDER / name
    expected, count = reference(path)
    for number in {1, count}:
        ready = frame(path, number)
        wanted = expected[number - 1] if count > 1 else expected
        assert ready.bits_allocated == 8 * wanted.dtype.itemsize
        got = np.frombuffer(ready.data, wanted.dtype.newbyteorder("<")).reshape(wanted.shape)
        # Two decoders may round a cosine transform and the colours behind it differently; nothing else.
        assert np.abs(got.astype(int) - wanted.astype(int)).max() <= (3 if name in COSINE else 0)
        if ready.samples == 3:
            assert ready.photometric == "RGB"


def test_a_native_frame_is_read_without_reading_the_object(tmp_path):
    """Thirty frames of zeros, each marked by its number: only the offset tells them apart."""
    data_set = pydicom.dcmread(FOLDER / "CT_small.dcm")
    pixels = np.repeat(np.arange(30, dtype="<i2"), 128 * 128)
    data_set.PixelData, data_set.NumberOfFrames = pixels.tobytes(), 30
    data_set.save_as(path := tmp_path / "cine.dcm")
    layout = layout_of(path)
    with path.open("r+b") as file:  # whatever comes after the frame need not even be there
        file.truncate(layout.value.offset + 18 * 128 * 128 * 2)
    seventeenth = stored_frame(path, 18, layout)
    assert set(np.frombuffer(seventeenth.data, "<i2")) == {17}
    with pytest.raises(NotFound, match="30 frame"):
        stored_frame(path, 31, layout)
    with pytest.raises(NotFound, match="no frame 0"):
        stored_frame(path, 0, layout)


def test_frames_of_packed_bits_begin_on_a_byte_whatever_their_size(tmp_path):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (5, 3, 7), dtype=np.uint8)  # 21 bits a frame
    data_set = pydicom.dcmread(FOLDER / "liver_1frame.dcm")
    data_set.Rows, data_set.Columns, data_set.NumberOfFrames = 3, 7, 5
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    data_set.PixelData = packed + b"\0" * (len(packed) % 2)
    data_set.save_as(path := tmp_path / "bits.dcm")
    layout = layout_of(path)
    for number in range(1, 6):
        stored = stored_frame(path, number, layout)
        assert np.array_equal(
            np.unpackbits(np.frombuffer(stored.data, np.uint8), bitorder="little")[:21], bits[number - 1].reshape(-1)
        )
        ready = frame(path, number)
        assert (ready.bits_allocated, ready.data) == (8, bits[number - 1].tobytes())


@pytest.mark.parametrize("table", ["basic", "extended", "none", "wrong"])
def test_frames_in_many_fragments_are_found_by_table_or_by_looking(tmp_path, table):
    data_set = pydicom.dcmread(FOLDER / "MR_small_jp2klossless.dcm")
    stream = next(generate_frames(data_set.PixelData, number_of_frames=1))
    data_set.NumberOfFrames = 3
    if table == "extended":
        data_set.PixelData, offsets, lengths = encapsulate_extended([stream] * 3)
        data_set.ExtendedOffsetTable, data_set.ExtendedOffsetTableLengths = offsets, lengths
    else:
        data_set.PixelData = encapsulate([stream] * 3, fragments_per_frame=2, has_bot=table != "none")
    if table == "wrong":
        wrong = bytearray(data_set.PixelData)
        wrong[12:16] = b"\x07\0\0\0"  # the second frame's offset is in the middle of the first
        data_set.PixelData = bytes(wrong)
    data_set.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data_set.save_as(path := tmp_path / "fragments.dcm")
    layout = layout_of(path)
    assert [stored_frame(path, number, layout).data.rstrip(b"\0") for number in (1, 2, 3)] == [stream.rstrip(b"\0")] * 3
    assert frame(path, 3).data == reference(FOLDER / "MR_small_jp2klossless.dcm")[0].astype("<i2").tobytes()


def test_pixels_that_end_early_are_refused_with_a_sentence():
    with pytest.raises(Invalid, match="end early"):
        layout_of(FOLDER / "MR_truncated.dcm")


def test_an_object_without_pixels_has_no_frames():
    with pytest.raises(NotFound, match="no pixels"):
        layout_of(FOLDER / "rtplan.dcm")


@pytest.mark.parametrize("content", [b"", b"hello, I am a text file\n" * 20, b"\0" * 128 + b"DICM"])
def test_what_is_not_dicom_is_refused_with_a_sentence(tmp_path, content):
    path = tmp_path / "not.dcm"
    path.write_bytes(content)
    with pytest.raises(Invalid):
        frame(path, 1)
