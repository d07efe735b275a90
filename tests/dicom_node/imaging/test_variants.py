"""One image, written in every way the standard allows, is shown as dcmtk shows it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from support.dcmtk import run as dcmtk
from support.pictures import by_dcmtk

from dicom_node.imaging.rendering import picture, render
from dicom_node.imaging.voi import Window

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
Change = Callable[[pydicom.Dataset], None]


def a_table(first: int, bits: int, entries: np.ndarray, *, signed: bool = True) -> pydicom.Dataset:
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "SS" if signed else "US", [len(entries) % 65536, first, bits])
    table.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return table


def windowed(centre: float, width: float, function: str = "") -> Change:
    def change(data_set: pydicom.Dataset) -> None:
        data_set.WindowCenter, data_set.WindowWidth = centre, width
        if function:
            data_set.VOILUTFunction = function

    return change


def shaped(photometric: str, shape: str) -> Change:
    def change(data_set: pydicom.Dataset) -> None:
        windowed(40, 400)(data_set)
        data_set.PhotometricInterpretation, data_set.PresentationLUTShape = photometric, shape

    return change


def with_modality_table(data_set: pydicom.Dataset) -> None:
    del data_set.RescaleSlope, data_set.RescaleIntercept
    data_set.ModalityLUTSequence = [a_table(100, 12, np.sqrt(np.linspace(0, 1, 2000)) * 4095)]
    data_set.ModalityLUTSequence[0].ModalityLUTType = "US"
    windowed(2000, 3000)(data_set)


def with_voi_table(data_set: pydicom.Dataset) -> None:
    data_set.RescaleIntercept = "0"
    data_set.VOILUTSequence = [a_table(50, 10, np.linspace(1023, 0, 2000))]


def with_overlay(data_set: pydicom.Dataset) -> None:
    windowed(40, 400)(data_set)
    plane = np.zeros((20, 30), np.uint8)
    plane[::3] = plane[:, ::7] = 1
    for keyword, vr, value in (
        (0x0010, "US", 20),
        (0x0011, "US", 30),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [-3, 110]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", np.packbits(plane.reshape(-1), bitorder="little").tobytes() + b"\0"),
    ):
        data_set.add_new(0x60020000 | keyword, vr, value)


def with_overlay_in_the_pixels(data_set: pydicom.Dataset) -> None:
    windowed(40, 400)(data_set)
    pixels = data_set.pixel_array.clip(0, 4095).astype("<u2")
    pixels[10:20, 30:90] |= 1 << 13
    data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 12, 11, 0
    data_set.PixelData = pixels.tobytes()
    rows, columns = pixels.shape
    for keyword, vr, value in (
        (0x0010, "US", rows),
        (0x0011, "US", columns),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 16),
        (0x0102, "US", 13),
    ):
        data_set.add_new(0x60000000 | keyword, vr, value)


def of_eight_bits(data_set: pydicom.Dataset) -> None:
    data_set.PixelData = (data_set.pixel_array.clip(0, 2047) // 8).astype("u1").tobytes()
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 8, 8, 7, 0
    data_set["PixelData"].VR = "OB"
    windowed(40, 2000)(data_set)


def of_thirty_two_bits(data_set: pydicom.Dataset) -> None:
    data_set.PixelData = (data_set.pixel_array.astype("<i4") * 1000).tobytes()
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 32, 32, 31
    data_set.RescaleSlope = "0.001"
    windowed(40, 400)(data_set)


def with_garbage_above_its_bits(data_set: pydicom.Dataset) -> None:
    windowed(40, 400)(data_set)
    pixels = data_set.pixel_array.clip(0, 2047).astype("<u2")
    data_set.BitsStored, data_set.HighBit = 12, 11  # still signed: bit 11 is the sign
    data_set.PixelData = (pixels | 0xF000).tobytes()


@pytest.mark.parametrize(
    ("change", "options"),
    [
        pytest.param(windowed(40, 400), ["+Wi", "1"], id="linear"),
        pytest.param(windowed(40.5, 1), ["+Wi", "1"], id="threshold"),
        pytest.param(windowed(40, 400, "SIGMOID"), ["+Wi", "1", "+Wfs"], id="sigmoid"),
        pytest.param(with_modality_table, ["+Wi", "1"], id="modality-table"),
        pytest.param(with_voi_table, ["+Wl", "1"], id="voi-table"),
        pytest.param(shaped("MONOCHROME1", "INVERSE"), ["+Wi", "1"], id="monochrome1-inverse"),
        pytest.param(shaped("MONOCHROME1", ""), ["+Wi", "1"], id="monochrome1"),
        pytest.param(shaped("MONOCHROME2", "IDENTITY"), ["+Wi", "1"], id="monochrome2-identity"),
        pytest.param(shaped("MONOCHROME2", "INVERSE"), ["+Wi", "1"], id="monochrome2-inverse"),
        pytest.param(with_overlay, ["+Wi", "1"], id="overlay"),
        pytest.param(with_overlay_in_the_pixels, ["+Wi", "1"], id="overlay-in-the-pixels"),
        pytest.param(of_eight_bits, ["+Wi", "1"], id="8-bits"),
        pytest.param(with_garbage_above_its_bits, ["+Wi", "1"], id="garbage-above-its-bits"),
    ],
)
@pytest.mark.parametrize("converter", [(), ("dcmconv", "+tb"), ("dcmcrle",)], ids=["little", "big", "rle"])
def test_a_grey_image_is_shown_as_dcmtk_shows_it(
    change: Change, options: list[str], converter: tuple[str, ...], tmp_path: Path
) -> None:
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    change(data_set)
    data_set.save_as(path := tmp_path / "one.dcm")
    if converter:
        converted = dcmtk(converter[0], *converter[1:], path, other := tmp_path / "other.dcm")
        assert converted.returncode == 0, converted.stderr
        path = other
    ours = picture(path, 1).astype(int)
    theirs = by_dcmtk(path, 1, options)
    assert np.abs(ours - theirs).max() <= 1
    assert len(np.unique(ours)) > 1


def test_samples_of_32_bits_are_shown_as_dcmtk_shows_them(tmp_path: Path) -> None:
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    of_thirty_two_bits(data_set)
    data_set.save_as(path := tmp_path / "one.dcm")
    assert np.abs(picture(path, 1).astype(int) - by_dcmtk(path, 1, ["+Wi", "1"])).max() <= 1


def test_pixels_that_are_not_square_are_shown_square(tmp_path: Path) -> None:
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    data_set.PixelSpacing = [0.4, 0.8]
    data_set.save_as(path := tmp_path / "one.dcm")
    assert Image.open(io.BytesIO(render(path, 1))).size == (256, 128)
    assert Image.open(io.BytesIO(render(path, 1, size=(64, 64)))).size == (64, 32)
    data_set.PixelAspectRatio = [3, 1]
    data_set.save_as(path)
    assert Image.open(io.BytesIO(render(path, 1))).size == (128, 384)


@pytest.mark.parametrize("order", ["little", "big"])
def test_an_overlay_of_many_frames_belongs_to_its_frame(order: str, tmp_path: Path) -> None:
    data_set = pydicom.dcmread(FILES / "CT_small.dcm")
    data_set.PixelData, data_set.NumberOfFrames = data_set.PixelData * 4, 4
    windowed(40, 400)(data_set)
    planes = np.zeros((2, 128, 128), np.uint8)
    planes[0, 5], planes[1, 9] = 1, 1
    for element, kind, value in (
        (0x0010, "US", 128),
        (0x0011, "US", 128),
        (0x0015, "IS", 2),
        (0x0050, "SS", [1, 1]),
        (0x0051, "US", 2),
        (0x3000, "OW", np.packbits(planes.reshape(-1), bitorder="little").tobytes()),
    ):
        data_set.add_new(0x60000000 | element, kind, value)
    data_set.save_as(path := tmp_path / "one.dcm")
    if order == "big":
        converted = dcmtk("dcmconv", "+tb", path, path := tmp_path / "other.dcm")
        assert converted.returncode == 0
    bare = picture(FILES / "CT_small.dcm", 1, Window(40, 400))
    for number, row in ((1, None), (2, 5), (3, 9), (4, None)):
        changed = np.flatnonzero((picture(path, number) != bare).any(axis=1))
        assert changed.tolist() == ([] if row is None else [row])
