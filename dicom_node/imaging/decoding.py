"""From one frame as stored to pixels anyone can draw. Compressed frames are decoded in a confined worker."""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import convert_color_space

from dicom_node.imaging import codestream
from dicom_node.imaging.codestream import DEFLATED_FRAMES, RLE, Extent
from dicom_node.imaging.elements import EXPLICIT_LITTLE
from dicom_node.imaging.layout import Layout
from telemed.kernel.errors import Invalid

log = logging.getLogger(__name__)

Pixels = npt.NDArray[Any]


def _jpeg(data: bytes, layout: Layout, extent: Extent) -> Pixels:
    """Decode any JPEG of ISO/IEC 10918-1, of 8, 12 or 16 bits; colour comes out as RGB where it went in as YCbCr."""
    if layout.samples == 1 or extent.lossless:
        return np.asarray(imagecodecs.jpeg8_decode(data))
    # What the codestream says of its colours goes before the data set, which conversions leave behind.
    plain = layout.photometric == "RGB" and not extent.tells_colour
    return np.asarray(imagecodecs.jpeg8_decode(data, colorspace="RGB" if plain else None, outcolorspace="RGB"))


def _jpeg_ls(data: bytes, _layout: Layout, _extent: Extent) -> Pixels:
    return np.asarray(imagecodecs.jpegls_decode(data))


def _jpeg_2000(data: bytes, _layout: Layout, _extent: Extent) -> Pixels:
    return np.asarray(imagecodecs.jpeg2k_decode(data))


def _htj2k(data: bytes, _layout: Layout, _extent: Extent) -> Pixels:
    return np.asarray(imagecodecs.htj2k_decode(data))


_CODECS: dict[str, Callable[[bytes, Layout, Extent], Pixels]] = {
    **{f"1.2.840.10008.1.2.4.{process}": _jpeg for process in range(50, 71)},
    "1.2.840.10008.1.2.4.80": _jpeg_ls,
    "1.2.840.10008.1.2.4.81": _jpeg_ls,
    **{f"1.2.840.10008.1.2.4.{process}": _jpeg_2000 for process in range(90, 94)},
    **{f"1.2.840.10008.1.2.4.{process}": _htj2k for process in (201, 202, 203)},
}


def decoded(data: bytes, layout: Layout) -> tuple[Pixels, str]:
    """Return the frame as an array (rows, columns[, 3]) and its photometric interpretation, RGB for every colour.

    *data* is one frame as `frames.stored_frame` gives it: compressed, or native little endian and byte-aligned.
    Unused high bits are cleared, signs are right, palette indices and grey values are left as they are.

    Raises
    ------
    Invalid
        when the frame contradicts its header or the decoder refuses it.
    """
    if layout.transfer_syntax_uid == DEFLATED_FRAMES:
        data, layout = _inflated(data, layout), replace(layout, transfer_syntax_uid=EXPLICIT_LITTLE)
    if layout.native and layout.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bits[: layout.rows * layout.columns].reshape(layout.rows, layout.columns), layout.photometric
    try:
        if layout.native and layout.samples == 1 and layout.bits_allocated in (8, 16) and layout.keyword == "PixelData":
            return plain(data, layout), layout.photometric
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a decoder's remark on a stranger's file is not ours to act on
            if layout.native or layout.transfer_syntax_uid == RLE:
                return _by_pydicom(data, layout)
            return _by_codec(data, layout)
    except (ValueError, AttributeError, RuntimeError, NotImplementedError, IndexError, KeyError) as error:
        log.info("a frame in %s could not be decoded: %s", layout.transfer_syntax_uid, error)
        raise Invalid("the frame's pixels cannot be decoded; the object may be damaged", code="unreadable") from error


def plain(data: bytes, layout: Layout) -> Pixels:
    """Return a native frame of one sample of 8 or 16 bits as an array (rows, columns); unused high bits are cleared."""
    size = layout.bits_allocated // 8
    pixels = np.frombuffer(data, f"<{'i' if layout.signed else 'u'}{size}", layout.rows * layout.columns)
    pixels = pixels.reshape(layout.rows, layout.columns)
    spare = layout.bits_allocated - layout.bits_stored
    if not spare:
        return pixels
    cleared: Pixels = (pixels << spare) >> spare  # of signed values the sign comes down again
    return cleared


def _inflated(data: bytes, layout: Layout) -> bytes:
    """Inflate a frame of the Deflated Image Frame Compression (PS3.5 Annex A.4.13), no further than its pixels reach."""
    length = -(-layout.frame_bits // 8)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, length)
    if len(inflated) < length:
        raise Invalid("the deflated frame ends before its pixels do", code="unreadable")
    return inflated


def _by_codec(data: bytes, layout: Layout) -> tuple[Pixels, str]:
    extent = codestream.check(data, layout)
    codec = _CODECS.get(layout.transfer_syntax_uid)
    if codec is None or extent is None:
        raise Invalid(f"frames in the transfer syntax {layout.transfer_syntax_uid} cannot be decoded here", code="unreadable")
    pixels = codec(data, layout, extent)
    if layout.samples == 1:
        return _signed(pixels, layout, extent), layout.photometric
    if layout.photometric.startswith("YBR_FULL") and (codec is not _jpeg or extent.lossless):
        pixels = convert_color_space(pixels, "YBR_FULL", "RGB")
    return pixels, "RGB"


def _signed(pixels: Pixels, layout: Layout, extent: Extent) -> Pixels:
    """Give the values the sign the data set says, and clear what lies above Bits Stored, overlays of old for one."""
    stored = min(layout.bits_stored, extent.precision)
    wide = np.int16 if pixels.dtype.itemsize <= 2 else np.int32
    values: npt.NDArray[Any] = pixels.astype(wide if layout.bits_allocated > 8 else np.int8)
    spare = 8 * values.dtype.itemsize - stored
    if layout.signed:
        extended: Pixels = np.right_shift(np.left_shift(values, spare), spare)
        return extended
    unsigned = values.view(values.dtype.str.replace("i", "u"))
    # The cosine transform may overshoot the greatest value, which must not come round as black.
    limit = (1 << layout.bits_stored) - 1
    return np.minimum(unsigned, limit) if extent.transformed else unsigned & limit


def _by_pydicom(data: bytes, layout: Layout) -> tuple[Pixels, str]:
    if layout.native:
        decoder, source = get_decoder(EXPLICIT_LITTLE), data
    else:
        codestream.check(data, layout)
        decoder, source = get_decoder(RLE), encapsulate([data], has_bot=False)
    pixels, properties = decoder.as_array(source, index=0, **_options(layout))
    if pixels.dtype.byteorder == ">":
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"))
    return pixels, str(properties["photometric_interpretation"])


def _options(layout: Layout) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "columns": layout.columns,
        "rows": layout.rows,
        "number_of_frames": 1,
        "photometric_interpretation": layout.photometric,
        "pixel_keyword": layout.keyword,
        "pixel_representation": int(layout.signed),
        "samples_per_pixel": layout.samples,
        "pixel_vr": "OW" if layout.bits_allocated > 8 else "OB",
    }
    if layout.samples > 1:
        options["planar_configuration"] = layout.planar
    return options
