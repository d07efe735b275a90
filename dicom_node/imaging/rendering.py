"""One frame as a picture a browser shows: JPEG or PNG, through the window it asks for (PS3.18 section 8.3.5)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

from dicom_node.imaging import decoding, overlays, voi
from dicom_node.imaging.decoding import decoded
from dicom_node.imaging.elements import DEFLATED, FileSource, open_data_set
from dicom_node.imaging.frames import read_stored, stored_frame
from dicom_node.imaging.layout import Layout, layout_of, read_layout
from dicom_node.imaging.presentation import Presentation, plain_presentation_of, presentation_of
from dicom_node.imaging.voi import Window
from telemed.kernel.errors import Invalid

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
#: A viewport (width, height) that a picture is fitted into; None shows each pixel as one.
Size = tuple[int, int] | None
THUMBNAIL: Size = (160, 160)
WHOLE: Size = None
#: How a picture is drawn for whoever does not say.
MEDIA, QUALITY = "image/jpeg", 90
#: Nobody's screen is larger, and a thumbnail request must not become an enlargement bomb.
MAXIMUM_SIDE = 8192
#: libjpeg's own bound: what is longer nobody could open.
_LONGEST_JPEG = 65500
#: Pixels less oblong than this are shown as they are.
_UNSEEN = 0.01
#: An image is first averaged down to this many times the size asked for: half the work, and no eye tells.
_REDUCING_GAP = 1.5

#: What is drawn without a worker: greys, of at most so many pixels as stored and as shown, which are hardly oblong.
_GREYS, _PLAIN_PIXELS, _PLAIN_ASPECT = frozenset({"MONOCHROME1", "MONOCHROME2"}), 1 << 20, 2.0

#: A table of greys is for whole runs of so many values: the images of a series differ in their extremes.
_STEP = 1024
#: So many pixels are looked up at once.
_BAND = 1 << 15

Grey8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """The part of an image to show, in image pixels; a negative width or height mirrors it (PS3.18 section 8.3.5.1.3)."""

    x: float
    y: float
    width: float
    height: float


def render(
    path: Path,
    number: int,
    window: Window | None = None,
    size: Size = None,
    media: str = MEDIA,
    *,
    region: Part | None = None,
    quality: int = QUALITY,
) -> bytes:
    """Return frame *number* (from 1) as a picture in *media*.

    *window* replaces the object's own; without either, the whole range of values is shown. *size* is the viewport
    (width, height) the picture is fitted into, its proportions kept. *region* is the part shown.

    It parses and decodes where it is called: run it by `Confinement.run`, or use `imaging.Imaging`, unless the file is
    trusted.
    """
    if media not in FORMATS:
        raise Invalid(f"a frame cannot be rendered as {media}; ask for {' or '.join(FORMATS)}", code="media-type")
    return _drawn(*_shown(path, number, window), size, media, region=region, quality=quality)


def middle_frame(frames: int) -> int:
    """Return the number of the frame that stands for an image of *frames*."""
    return (frames + 1) // 2


def render_all(path: Path, number: int, sizes: Sequence[Size]) -> list[bytes]:
    """Return frame *number* as whoever says nothing but the size is shown it, in each of *sizes*; run it by `Confinement.run`."""
    layout = layout_of(path)
    how = plain_presentation(path, layout)
    shown = _shown(path, number, None) if how is None else _shown_plainly(path, number, layout, how, None)
    return [_drawn(*shown, size, MEDIA, region=None, quality=QUALITY) for size in sizes]


def plain_presentation(path: Path, layout: Layout) -> Presentation | None:
    """Return how native greys are to be looked at that short values say how to show, and not too many; None for everything else.

    No decoder and no parser of whole data sets is met: it may run anywhere. *layout* is that of the file.
    """
    greys = layout.samples == 1 and layout.photometric in _GREYS and layout.keyword == "PixelData"
    if not greys or not layout.native or layout.transfer_syntax_uid == DEFLATED or layout.bits_allocated not in (8, 16):
        return None
    if layout.rows * layout.columns > _PLAIN_PIXELS:
        return None
    with FileSource(path) as file:
        return plain_presentation_of(file)


def render_plainly(
    path: Path,
    number: int,
    layout: Layout,
    how: Presentation,
    window: Window | None,
    *,
    size: Size,
    media: str,
    region: Part | None,
    quality: int,
) -> bytes | None:
    """Return what `render` does, of an image that has a plain presentation, *how*; None when it would be large or is oblong."""
    if size is not None and size[0] * size[1] > _PLAIN_PIXELS:
        return None
    if not 1 / _PLAIN_ASPECT <= how.aspect <= _PLAIN_ASPECT:
        return None
    return _drawn(*_shown_plainly(path, number, layout, how, window), size, media, region=region, quality=quality)


def _shown_plainly(path: Path, number: int, layout: Layout, how: Presentation, window: Window | None) -> tuple[Grey8, float]:
    pixels = decoding.plain(stored_frame(path, number, layout).data, layout)
    return _displayed(pixels, layout.photometric, how, window, layout), how.aspect


def _drawn(shown: Grey8, aspect: float, size: Size, media: str, *, region: Part | None, quality: int) -> bytes:
    if region is not None or size is not None or abs(aspect - 1) > _UNSEEN:
        image = Image.fromarray(shown)
        if region is not None:
            image = _cut(image, region)
        if size is not None or abs(aspect - 1) > _UNSEEN:
            image = _fitted(image, aspect, size)
        shown = np.asarray(image)
    if media == "image/jpeg":
        if max(shown.shape) > _LONGEST_JPEG:
            raise Invalid(f"no JPEG is longer than {_LONGEST_JPEG} pixels; name a viewport or ask for image/png", code="viewport")
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(shown), level=max(1, min(100, quality))))
    out = io.BytesIO()
    Image.fromarray(shown).save(out, "PNG", compress_level=3)
    return out.getvalue()


def picture(path: Path, number: int, window: Window | None = None) -> Grey8:
    """Return the frame as displayed values, overlays drawn: (rows, columns) for grey, (rows, columns, 3) for colour."""
    return _shown(path, number, window)[0]


def _shown(path: Path, number: int, window: Window | None) -> tuple[Grey8, float]:
    """Return the frame as displayed values and a pixel's height by its width."""
    with FileSource(path) as file:
        layout = read_layout(file)
        stored = read_stored(open_data_set(file)[1], number, layout)
    how = presentation_of(path, number)
    shown = _displayed(*decoded(stored.data, layout), how, window, layout)
    graphics = overlays.mask_of(how.data_set, number, stored, layout)
    if graphics is not None:
        shown = shown.copy()
        shown[graphics] = 255
    return shown, how.aspect


def _displayed(pixels: npt.NDArray[Any], photometric: str, how: Presentation, window: Window | None, layout: Layout) -> Grey8:
    if photometric == "PALETTE COLOR":
        return _narrowed(apply_color_lut(pixels, how.data_set))
    if layout.samples == 3:
        return _narrowed(pixels, layout.bits_stored)

    # Where padding decides the window, the pixels themselves have to be looked at.
    by_pixel = how.padding is not None and window is None and how.window is None and how.voi is None
    return _greys(pixels, how, window, layout) if by_pixel else _by_value(pixels, how, window, layout)


def _by_value(pixels: npt.NDArray[Any], how: Presentation, window: Window | None, layout: Layout) -> Grey8:
    """Look each pixel's grey up by its value, where there are fewer values than pixels: most images have a few thousand."""
    width = pixels.dtype.itemsize
    if pixels.dtype.kind not in "iu" or width > 2:
        return _greys(pixels, how, window, layout)
    low, high = int(pixels.min()), int(pixels.max())
    if high - low >= pixels.size // 2:
        return _greys(pixels, how, window, layout)
    if how.modality is not None or layout.bits_allocated == 1 or (how.voi is not None and window is None):
        values = range(low, high + 1)
        table = _table(_greys(_array(values), how, window, layout), values, width)
    else:
        seen = window or how.window or voi.automatic(voi.rescaled(np.array([low, high]), how.slope, how.intercept))
        limits = np.iinfo(pixels.dtype)
        first, last = max(low // _STEP * _STEP, limits.min), min(high // _STEP * _STEP + _STEP - 1, limits.max)
        table = _windowed_table(range(first, last + 1), width, how.slope, how.intercept, seen, inverse=how.inverse)
    return _looked_up(table, pixels.view(f"u{width}"))


@lru_cache(maxsize=64)  # the images of a series mostly have the same
def _windowed_table(values: range, width: int, slope: float, intercept: float, window: Window, *, inverse: bool) -> Grey8:
    shades = voi.windowed(voi.rescaled(_array(values), slope, intercept), window)
    return _table(_rounded(shades, inverse=inverse), values, width)


def _table(greys: Grey8, values: range, width: int) -> Grey8:
    """Return *greys*, those of *values*, by the unsigned number of *width* bytes that each value is written as."""
    table = np.zeros(1 << 8 * width, np.uint8)
    zero = len(table) - values.start % len(table)  # where in greys the table begins anew: what is below zero stands at its end
    table[-zero:][: len(greys)] = greys[:zero]
    table[: max(0, len(greys) - zero)] = greys[zero:]
    return table


def _looked_up(table: Grey8, pixels: npt.NDArray[Any]) -> Grey8:
    """Look *pixels* up in bands: numpy makes an index of eight bytes for each, too much for the processor's cache at once."""
    shown = np.empty(pixels.shape, np.uint8)
    rows = max(1, _BAND // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        np.take(table, pixels[top : top + rows], out=shown[top : top + rows], mode="wrap")  # "raise" would copy them once more
    return shown


def _array(values: range) -> npt.NDArray[np.int64]:
    return np.arange(values.start, values.stop)


def _greys(values: npt.NDArray[Any], how: Presentation, window: Window | None, layout: Layout) -> Grey8:
    return _rounded(_shades(values, how, window, layout), inverse=how.inverse)


def _rounded(shades: voi.Values, *, inverse: bool) -> Grey8:
    """Return *shades*, which are used up, from 0 to 255."""
    if inverse:
        np.subtract(1.0, shades, out=shades)
    shades *= 255.0
    return np.rint(shades, out=shades).astype(np.uint8)


def _shades(pixels: npt.NDArray[Any], how: Presentation, window: Window | None, layout: Layout) -> voi.Values:
    if layout.bits_allocated == 1:
        return pixels.astype(np.float64)
    padding = None if how.padding is None else (pixels >= how.padding[0]) & (pixels <= how.padding[1])
    values = how.modality.through(pixels) if how.modality else voi.rescaled(pixels, how.slope, how.intercept)
    if window is None and how.voi is not None:
        return voi.looked_up(values, how.voi)
    return voi.windowed(values, window or how.window or voi.automatic(values, padding))


def _narrowed(pixels: npt.NDArray[Any], bits: int = 0) -> Grey8:
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8)
    shown: Grey8 = np.clip(pixels >> max(0, (bits or 8 * pixels.dtype.itemsize) - 8), 0, 255).astype(np.uint8)
    return shown


def _cut(image: Image.Image, part: Part) -> Image.Image:
    left, top = max(0, round(part.x)), max(0, round(part.y))
    right, bottom = min(image.width, round(part.x + abs(part.width))), min(image.height, round(part.y + abs(part.height)))
    if left >= right or top >= bottom:
        raise Invalid("the viewport shows a part outside the image", code="viewport")
    image = image.crop((left, top, right, bottom))
    if part.width < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if part.height < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image


def _fitted(image: Image.Image, aspect: float, size: Size) -> Image.Image:
    """Make pixels square, the shorter side's more numerous, and fit the whole into *size*."""
    width, height = image.width * max(1.0, 1 / aspect), image.height * max(1.0, aspect)
    bounds = size or (MAXIMUM_SIDE, MAXIMUM_SIDE)
    if not all(1 <= side <= MAXIMUM_SIDE for side in bounds):
        raise Invalid(f"a viewport is between 1 and {MAXIMUM_SIDE} pixels wide and high", code="viewport")
    scale = min(bounds[0] / width, bounds[1] / height)
    if size is None:
        scale = min(1.0, scale)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    if fitted == image.size:
        return image
    return image.resize(fitted, Image.Resampling.BICUBIC, reducing_gap=_REDUCING_GAP)
