"""What a server holds: limits before decoding, work in workers, nothing decoded twice."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from dicom_node.imaging.cache import RecentlyUsed
from dicom_node.imaging.documents import document_of
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import Shelf
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Invalid, NotFound

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
JPEG_LS = FOLDER / "MR_small_jpeg_ls_lossless.dcm"


class Counting(Confinement):
    """A real confinement that says how often it was used."""

    calls = 0

    def run(self, function, *arguments):
        self.calls += 1
        return super().run(function, *arguments)


@pytest.fixture(scope="module")
def confinement() -> Iterator[Counting]:
    confinement = Counting(processes=1, seconds=20)
    yield confinement
    confinement.close()


@pytest.fixture
def imaging(confinement, tmp_path) -> Imaging:
    return Imaging(confinement, shelf=Shelf(tmp_path / "shelf", 1 << 30))


def bomb(path: Path, rows: int, columns: int, *, header_too: bool) -> Path:
    """A JPEG-LS stream of 64 x 64 pixels whose frame header claims *rows* x *columns*."""
    data_set = pydicom.dcmread(JPEG_LS)
    stream = bytearray(next(generate_frames(data_set.PixelData, number_of_frames=1)))
    at = stream.index(b"\xff\xf7") + 5
    stream[at : at + 4] = struct.pack(">HH", rows, columns)
    data_set.PixelData = encapsulate([bytes(stream)])
    if header_too:
        data_set.Rows, data_set.Columns = rows, columns
    data_set.save_as(path)
    return path


@pytest.mark.parametrize("header_too", [True, False])
def test_a_decompression_bomb_is_refused_before_a_decoder_sees_it(imaging, tmp_path, header_too):
    path = bomb(tmp_path / "bomb.dcm", 65535, 65535, header_too=header_too)
    began = time.monotonic()
    for attempt in (imaging.frame, imaging.rendered):
        with pytest.raises(Invalid) as refusal:
            attempt(path, 1, digest="bomb")
        assert refusal.value.code in {"contradiction", "too-large"}
    assert time.monotonic() - began < 10


def test_a_header_that_lies_within_the_limits_costs_no_more_than_its_frame(imaging, tmp_path):
    """The decoder may fill what is missing; it must not take long, and what comes is of the size that was said."""
    path = bomb(tmp_path / "lie.dcm", 1500, 1500, header_too=True)
    began = time.monotonic()
    with suppress(Invalid):
        assert len(imaging.frame(path, 1, digest="lie").data) == 1500 * 1500 * 2
    assert time.monotonic() - began < 10


def test_compressed_frames_are_decoded_once_and_native_ones_never(confinement, imaging):
    before = confinement.calls
    for _ in range(3):
        compressed = imaging.frame(JPEG_LS, 1, digest="ls")
        native = imaging.frame(FOLDER / "MR_small.dcm", 1, digest="mr")
    assert confinement.calls == before + 1
    assert compressed.data == native.data
    assert imaging.rendered(JPEG_LS, 1, digest="ls") == imaging.rendered(JPEG_LS, 1, digest="ls")
    assert confinement.calls == before + 2


def test_a_deflated_object_is_opened_in_a_worker(confinement, imaging):
    path = FOLDER / "image_dfl.dcm"
    expected = pydicom.dcmread(path).pixel_array
    frame = imaging.frame(path, 1, digest="deflated")
    assert np.array_equal(np.frombuffer(frame.data, np.uint8).reshape(512, 512), expected)
    assert imaging.stored_frame(path, 1, digest="deflated") == frame


def test_uncompressed_frames_keep_the_photometric_interpretation_of_native_ones(imaging):
    native = FOLDER / "SC_ybr_full_422_uncompressed.dcm"
    frame = imaging.uncompressed_frame(native, 1, digest="422")
    assert (frame.photometric, len(frame.data)) == ("YBR_FULL_422", 100 * 100 * 2)
    assert imaging.frame(native, 1, digest="422").photometric == "RGB"
    compressed = imaging.uncompressed_frame(FOLDER / "SC_rgb_jpeg_dcmtk.dcm", 1, digest="jpeg")
    assert (compressed.photometric, len(compressed.data)) == ("RGB", 100 * 100 * 3)


def test_an_encapsulated_document_comes_out_as_it_went_in(tmp_path):
    data_set = pydicom.dcmread(FOLDER / "CT_small.dcm", stop_before_pixels=True)
    data_set.EncapsulatedDocument, data_set.MIMETypeOfEncapsulatedDocument = b"%PDF-1.7 odd\n\0", "application/pdf"
    data_set.EncapsulatedDocumentLength = 13
    data_set.save_as(path := tmp_path / "document.dcm")
    document = document_of(path)
    assert (document.data, document.media_type) == (b"%PDF-1.7 odd\n", "application/pdf")
    data_set.MIMETypeOfEncapsulatedDocument = "text/html"
    data_set.save_as(path)
    assert document_of(path).media_type == "application/octet-stream"
    with pytest.raises(NotFound):
        document_of(FOLDER / "CT_small.dcm")


def test_the_longest_unused_is_dropped_first():
    kept: RecentlyUsed[str] = RecentlyUsed(100)
    for key in "abcd":
        kept.put(key, key, 25)
    assert kept.get("a") == "a"
    kept.put("e", "e", 25)
    assert [key for key in "abcde" if kept.get(key)] == ["a", "c", "d", "e"]
    kept.put("large", "x", 26)
    assert kept.get("large") is None
