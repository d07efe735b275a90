"""One frame as a picture a browser shows: JPEG or PNG, through the window it asks for (PS3.18 section 8.3.5)."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.pixels.processing import apply_color_lut

from dicom_node.imaging import decoding, overlays, voi
from dicom_node.imaging.decoding import decoded
from dicom_node.imaging.elements import DEFLATED, FileSource, open_data_set
from dicom_node.imaging.frames import read_stored
from dicom_node.imaging.layout import Layout, read_layout
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
#: Pixels less oblong than this are shown as they are.
_UNSEEN = 0.01
#: An image is first averaged down to this many times the size asked for: half the work, and no eye tells.
_REDUCING_GAP = 1.5

#: What is drawn without a worker: greys, of at most so many pixels as stored and as shown, which are hardly oblong.
_GREYS, _PLAIN_PIXELS, _PLAIN_ASPECT = frozenset({"MONOCHROME1", "MONOCHROME2"}), 1 << 20, 2.0

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
    with FileSource(path) as file:
        plainly = _shown_plainly(file, number, None, read_layout(file))
    shown = plainly or _shown(path, number, None)
    return [_drawn(*shown, size, MEDIA, region=None, quality=QUALITY) for size in sizes]


def render_plainly(
    path: Path,
    number: int,
    layout: Layout,
    window: Window | None,
    *,
    size: Size,
    media: str,
    region: Part | None,
    quality: int,
) -> bytes | None:
    """Return what `render` does, of native greys that short values say how to show; None for everything else.

    No decoder and no parser of whole data sets is met: it may run anywhere. *layout* is that of the file.
    """
    largest = max(layout.rows * layout.columns, 0 if size is None else size[0] * size[1])
    if largest > _PLAIN_PIXELS:
        return None
    with FileSource(path) as file:
        shown = _shown_plainly(file, number, window, layout)
    if shown is None or not 1 / _PLAIN_ASPECT <= shown[1] <= _PLAIN_ASPECT:
        return None
    return _drawn(*shown, size, media, region=region, quality=quality)


def _shown_plainly(file: FileSource, number: int, window: Window | None, layout: Layout) -> tuple[Grey8, float] | None:
    """Return what `_shown` does, of native greys that short values say how to show; None for everything else."""
    greys = layout.samples == 1 and layout.photometric in _GREYS and layout.keyword == "PixelData"
    if not greys or not layout.native or layout.transfer_syntax_uid == DEFLATED or layout.bits_allocated not in (8, 16):
        return None
    how = plain_presentation_of(file)
    if how is None:
        return None
    stored = read_stored(file, number, layout)
    return _displayed(decoding.plain(stored.data, layout), layout.photometric, how, window, layout), how.aspect


def _drawn(shown: Grey8, aspect: float, size: Size, media: str, *, region: Part | None, quality: int) -> bytes:
    image = Image.fromarray(shown)
    if region is not None:
        image = _cut(image, region)
    if size is not None or abs(aspect - 1) > _UNSEEN:
        image = _fitted(image, aspect, size)
    out = io.BytesIO()
    if media == "image/jpeg":
        image.save(out, "JPEG", quality=max(1, min(100, quality)))
    else:
        image.save(out, "PNG", compress_level=3)
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

    def grey(values: npt.NDArray[Any]) -> Grey8:
        shade = _shades(values, how, window, layout)
        if how.inverse:
            shade = 1.0 - shade
        return np.rint(shade * 255.0).astype(np.uint8)

    # Where padding decides the window, the pixels themselves have to be looked at.
    by_pixel = how.padding is not None and window is None and how.window is None and how.voi is None
    return grey(pixels) if by_pixel else _by_value(pixels, grey)


def _by_value(pixels: npt.NDArray[Any], grey: Callable[[npt.NDArray[Any]], Grey8]) -> Grey8:
    """Work each value out once, where there are fewer of them than pixels: most images have a few thousand."""
    low, high = int(pixels.min()), int(pixels.max())
    if pixels.dtype.kind not in "iu" or high - low >= pixels.size // 2:
        return grey(pixels)
    shades = grey(np.arange(low, high + 1).astype(pixels.dtype))
    if low <= 0 <= high:  # an index below zero counts from the end: what is below zero stands there
        shown: Grey8 = np.take(np.roll(shades, low), pixels)
    else:
        shown = np.take(shades, np.subtract(pixels, low, dtype=np.int64))
    return shown


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
    if fitted < image.size:
        return image.resize(fitted, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    return image.resize(fitted, Image.Resampling.BICUBIC)
