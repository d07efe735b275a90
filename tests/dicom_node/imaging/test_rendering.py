"""Pictures equal those of other people's software, within one shade of grey."""

from __future__ import annotations

import io
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.imaging.layout import layout_of
from dicom_node.imaging.rendering import Part, picture, plain_presentation, render, render_plainly
from dicom_node.imaging.voi import Function, Window, automatic, windowed
from telemed.kernel.errors import Invalid, TelemedError

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
CT = FOLDER / "CT_small.dcm"


def as_pydicom_shows(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path)
        pixels = data_set.pixel_array
        if data_set.PhotometricInterpretation == "PALETTE COLOR":
            return apply_color_lut(pixels, data_set) >> 8
        if pixels.ndim == 3:
            return pixels
        values = apply_modality_lut(pixels, data_set)
        if "WindowCenter" in data_set or "VOILUTSequence" in data_set:
            shown = apply_voi_lut(values, data_set).astype(float)
            scale = _range_of(data_set)
            shown = (shown - scale[0]) / (scale[1] - scale[0])
        else:
            shown = (values - values.min()) / (values.max() - values.min())
        shown = 1 - shown if data_set.PhotometricInterpretation == "MONOCHROME1" else shown
        return np.rint(shown * 255)


def _range_of(data_set: pydicom.Dataset) -> tuple[float, float]:
    """The output range of pydicom's window: that of the stored values, rescaled."""
    low, high = (0, 2**data_set.BitsStored - 1)
    if data_set.PixelRepresentation:
        low, high = -(2 ** (data_set.BitsStored - 1)), 2 ** (data_set.BitsStored - 1) - 1
    slope, intercept = float(data_set.get("RescaleSlope", 1)), float(data_set.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "JPEG2000.dcm",
        "examples_palette.dcm",
        "examples_rgb_color.dcm",
        "examples_jpeg2k.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "dicomdirtests/77654033/CR1/6154",
    ],
)
def test_a_picture_is_within_one_shade_of_pydicom(name):
    path = FOLDER / name
    assert np.abs(picture(path, 1).astype(int) - as_pydicom_shows(path)).max() <= 1


@pytest.mark.parametrize(
    ("name", "options", "window"),
    [
        ("CT_small.dcm", ["+Ww", "40", "400"], Window(40, 400)),
        ("MR_small.dcm", ["+Wi", "1"], None),
        ("MR_small_RLE.dcm", ["+Ww", "600", "1600"], Window(600, 1600)),
        ("MR_small_jpeg_ls_lossless.dcm", ["+Wi", "1"], None),
        ("JPGExtended.dcm", ["+Ww", "500", "1200"], Window(500, 1200)),
        ("dicomdirtests/77654033/CR1/6154", ["+Ww", "300", "600"], Window(300, 600)),
    ],
)
def test_a_picture_is_within_one_shade_of_dcmtk(name, options, window, tmp_path):
    out = tmp_path / "out.pgm"
    program = {"JPGExtended.dcm": "dcmj2pnm", "MR_small_jpeg_ls_lossless.dcm": "dcml2pnm"}.get(name, "dcm2pnm")
    subprocess.run([f"/usr/bin/{program}", "+op", *options, str(FOLDER / name), str(out)], capture_output=True, check=True)
    theirs = np.asarray(Image.open(out)).astype(int)
    assert np.abs(picture(FOLDER / name, 1, window).astype(int) - theirs).max() <= 1


def plainly(path: Path, number: int = 1, window: Window | None = None, size: tuple[int, int] | None = None) -> bytes | None:
    how = plain_presentation(path, layout := layout_of(path))
    if how is None:
        return None
    return render_plainly(path, number, layout, how, window, size=size, media="image/png", region=None, quality=90)


def test_what_is_drawn_without_a_worker_is_the_same_picture():
    drawn = set()
    for path in sorted(FOLDER.glob("*.dcm")):
        try:
            picture = plainly(path)
        except TelemedError:  # no image, or one that nobody can draw
            continue
        if picture is not None:
            drawn.add(path.name)
            assert picture == render(path, 1, media="image/png"), path.name
            window = Window(60, 200)
            assert plainly(path, 1, window, (40, 40)) == render(path, 1, window, (40, 40), "image/png"), path.name
    kinds = ("", "_bigendian", "_expb", "_implicit", "_padded")
    assert drawn == {"CT_small.dcm", *(f"MR_small{kind}.dcm" for kind in kinds)}  # no overlays, palettes, colours, codecs


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_padding_below_zero_is_left_out_of_the_window_without_a_worker_too(syntax, tmp_path):
    data_set = pydicom.dcmread(CT)
    pixels = data_set.pixel_array.astype(np.int16)
    pixels[:8] = -2000
    data_set.PixelRepresentation, data_set.PixelData = 1, pixels.tobytes()
    data_set.add_new("PixelPaddingValue", "SS", -2000)
    for keyword in ("WindowCenter", "WindowWidth"):
        if keyword in data_set:
            del data_set[keyword]
    data_set.file_meta.TransferSyntaxUID = syntax
    data_set.save_as(path := tmp_path / "padded.dcm", implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    drawn = plainly(path)
    assert drawn == render(path, 1, media="image/png")
    assert np.asarray(Image.open(io.BytesIO(drawn)))[8:].min() == 0


def test_a_large_picture_or_an_enlarged_one_is_left_to_a_worker():
    assert plainly(CT, size=(500, 500)) is not None
    assert plainly(CT, size=(5000, 5000)) is None


def test_monochrome1_is_shown_dark_where_values_are_high(tmp_path):
    data_set = pydicom.dcmread(CT)
    data_set.PhotometricInterpretation = "MONOCHROME1"
    data_set.save_as(path := tmp_path / "one.dcm")
    assert np.abs(picture(path, 1).astype(int) + picture(CT, 1) - 255).max() <= 1


def test_the_window_of_an_enhanced_frame_is_its_own(tmp_path):
    data_set = pydicom.dcmread(CT)
    value, window = pydicom.Dataset(), pydicom.Dataset()
    value.RescaleSlope, value.RescaleIntercept = "2", "-1000"
    window.WindowCenter, window.WindowWidth = "500", "2000"
    group = pydicom.Dataset()
    group.PixelValueTransformationSequence, group.FrameVOILUTSequence = [value], [window]
    data_set.PerFrameFunctionalGroupsSequence = [group]
    data_set.save_as(path := tmp_path / "enhanced.dcm")
    values = data_set.pixel_array * 2.0 - 1000
    expected = np.clip((values - 499.5) / 1999 + 0.5, 0, 1) * 255
    assert np.abs(picture(path, 1) - expected).max() <= 1


def test_a_voi_table_is_used_until_a_window_is_asked_for(tmp_path):
    data_set = pydicom.dcmread(CT)
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        del data_set[keyword]
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "SS", [4096, -1024, 12])
    table.LUTData = np.linspace(4095, 0, 4096).astype("<u2").tobytes()
    table["LUTData"].VR = "OW"
    data_set.VOILUTSequence = [table]
    data_set.save_as(path := tmp_path / "table.dcm")
    values = data_set.pixel_array.astype(int)
    expected = np.linspace(4095, 0, 4096).astype(int)[np.clip(values + 1024, 0, 4095)] / 4095 * 255
    assert np.abs(picture(path, 1) - expected).max() <= 1
    assert not np.array_equal(picture(path, 1, Window(40, 400)), picture(path, 1))


def test_an_empty_table_is_as_none(tmp_path):
    data_set = pydicom.dcmread(CT)
    data_set.ModalityLUTSequence = [pydicom.Dataset()]
    data_set.ModalityLUTSequence[0].LUTDescriptor = None
    data_set.save_as(path := tmp_path / "empty.dcm")
    assert np.array_equal(picture(path, 1), picture(CT, 1))


def test_a_viewport_fits_the_part_it_shows_and_mirrors_it():
    def opened(data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data))

    assert opened(render(CT, 1)).size == (128, 128)
    assert opened(render(CT, 1, size=(64, 200))).size == (64, 64)
    assert opened(render(CT, 1, size=(300, 300), media="image/png")).size == (300, 300)
    part = np.asarray(opened(render(CT, 1, media="image/png", region=Part(10, 20, 30, 40))))
    assert np.array_equal(part, picture(CT, 1)[20:60, 10:40])
    mirrored = np.asarray(opened(render(CT, 1, media="image/png", region=Part(10, 20, -30, 40))))
    assert np.array_equal(mirrored, part[:, ::-1])


@pytest.mark.parametrize(
    ("kind", "slices"),
    [
        (np.int16, [(-1024, 3071), (-2000, 100), (0, 40), (-9, -3), (-32768, -32000), (32000, 32767)]),
        (np.uint16, [(0, 4095), (1024, 2047), (700, 701), (60000, 65535), (5, 5), (0, 65535)]),
        (np.uint8, [(0, 255), (17, 90), (255, 255)]),
    ],
)
@pytest.mark.parametrize("window", [Window(40, 400), Window(33000, 70000), Window(30, 80, Function.SIGMOID), None])
def test_each_slice_of_a_series_is_shown_by_its_own_values(kind, slices, window, tmp_path):
    data_set = pydicom.dcmread(CT)
    data_set.RescaleSlope, data_set.RescaleIntercept = "2", "-10"
    data_set.BitsAllocated = data_set.BitsStored = 8 * np.dtype(kind).itemsize
    data_set.HighBit, data_set.PixelRepresentation = data_set.BitsStored - 1, int(np.dtype(kind).kind == "i")
    for keyword in ("WindowCenter", "WindowWidth", "PixelPaddingValue"):
        if keyword in data_set:
            del data_set[keyword]
    for low, high in slices:
        pixels = np.random.default_rng(1).integers(low, high, (128, 128), kind, endpoint=True)
        pixels[0, :2] = low, high
        data_set.PixelData = pixels.tobytes()
        data_set.save_as(path := tmp_path / "slice.dcm")
        values = pixels * 2.0 - 10
        shades = windowed(values, window or automatic(values))
        assert np.array_equal(picture(path, 1, window), np.rint(shades * 255)), (low, high)


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "examples_jpeg2k.dcm"])
@pytest.mark.parametrize("side", [96, 150, 160, 256])
def test_a_small_picture_is_what_the_best_filter_makes_of_the_large_one_as_far_as_an_eye_tells(name, side):
    small = Image.open(io.BytesIO(render(FOLDER / name, 1, None, (side, side), "image/png")))
    large = Image.fromarray(picture(FOLDER / name, 1))
    apart = np.abs(np.asarray(small).astype(int) - large.resize(small.size, Image.Resampling.LANCZOS))
    assert apart.mean() < 3
    assert np.percentile(apart, 99) < 25


@pytest.mark.parametrize(
    "name", ["SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_jpeg_dcmtk.dcm", "examples_palette.dcm", "liver_1frame.dcm"]
)
def test_whatever_a_decoder_makes_of_an_image_is_drawn_as_a_jpeg(name):
    exact = picture(FOLDER / name, 1)
    jpeg = np.asarray(Image.open(io.BytesIO(render(FOLDER / name, 1, quality=100))))
    assert jpeg.shape == exact.shape
    assert np.abs(jpeg.astype(int) - exact).mean() < 3


def test_an_image_too_long_for_a_jpeg_is_shown_in_a_viewport_or_as_png(tmp_path):
    data_set = pydicom.dcmread(CT)
    data_set.Rows, data_set.Columns, data_set.PixelData = 2, 65501, bytes(2 * 2 * 65501)
    data_set.PixelSpacing = [1, 1]
    data_set.save_as(path := tmp_path / "long.dcm")
    with pytest.raises(Invalid, match="viewport"):
        render(path, 1)
    assert Image.open(io.BytesIO(render(path, 1, size=(500, 500)))).width == 500
    assert Image.open(io.BytesIO(render(path, 1, media="image/png"))).width == 65501


@pytest.mark.parametrize(
    "wrong", [{"size": (0, 10)}, {"size": (99999, 10)}, {"media": "image/gif"}, {"region": Part(500, 0, 9, 9)}]
)
def test_a_picture_nobody_can_draw_is_refused_with_a_sentence(wrong):
    with pytest.raises(Invalid):
        render(CT, 1, **wrong)
