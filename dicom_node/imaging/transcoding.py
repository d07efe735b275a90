"""One frame, or the header before all of them, in another transfer syntax; nothing is lost on the way (PS3.5 section 8.2).

The pixels are those that were received: JPEG-LS and HTJ2K are written without loss only, whatever the frame was stored in.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import imagecodecs
from pydicom import dcmread
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from dicom_node.imaging.decoding import Pixels, decoded
from dicom_node.imaging.elements import EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED, FileSource, open_data_set
from dicom_node.imaging.frames import MEDIA_TYPES, Frame, read_stored
from dicom_node.imaging.layout import PIXEL_KEYWORDS, Layout
from telemed.kernel.errors import Invalid

JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
#: Whole objects can be brought to these, too: what every peer takes (PS3.5 section 10.1).
UNCOMPRESSED = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
#: JPEG Baseline and Extended: what was stored in them has lost something for good.
_LOSSY = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
#: Where the codestream itself begins: before it the encoder writes a SPIFF header, which no decoder of DICOM's expects.
_CODESTREAM = b"\xff\xd8\xff\xf7"
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_ITEM, _SEQUENCE_END = struct.pack("<HH", 0xFFFE, 0xE000), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _jpeg_ls(pixels: Pixels) -> bytes:
    data = bytes(imagecodecs.jpegls_encode(pixels.view(pixels.dtype.str.replace("i", "u"))))
    return data[data.index(_CODESTREAM) :]


def _htj2k(pixels: Pixels) -> bytes:
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True))


_ENCODERS: dict[str, Callable[[Pixels], bytes]] = {JPEG_LS_LOSSLESS: _jpeg_ls, HTJ2K_LOSSLESS: _htj2k}
#: The transfer syntaxes frames can be brought to; the first is preferred where a client leaves the choice.
TARGETS = tuple(_ENCODERS)


def is_possible(layout: Layout, syntax: str) -> bool:
    """Whether a frame of *layout* can be answered in *syntax*."""
    if syntax in (layout.transfer_syntax_uid, EXPLICIT_LITTLE):
        return True
    return syntax in _ENCODERS and layout.keyword == "PixelData" and layout.bits_allocated in (8, 16)


def is_possible_whole(layout: Layout, syntax: str) -> bool:
    """Whether an object of *layout* can be written in *syntax*: packed bits stay where they are, or begin on bytes."""
    if not (syntax == IMPLICIT_LITTLE or is_possible(layout, syntax)) or layout.value.length >= UNDEFINED:
        return False
    return layout.bits_allocated > 1 or (layout.native and (layout.frames == 1 or layout.frame_bits % 8 == 0))


def transcoded(path: Path, number: int, layout: Layout, syntax: str) -> bytes:
    """Return frame *number* of the file at *path* in *syntax*, one of TARGETS; run it by `Confinement.run`."""
    with FileSource(path) as file:
        stored = read_stored(open_data_set(file)[1], number, layout)
    return _ENCODERS[syntax](decoded(stored.data, layout)[0])


def described(data: bytes, layout: Layout, syntax: str) -> Frame:
    """Return what `transcoded` made of a frame, with what one must know to draw it."""
    return Frame(
        data=data,
        media_type=MEDIA_TYPES[syntax],
        transfer_syntax_uid=syntax,
        photometric=_colour("RGB" if layout.samples > 1 else layout.photometric, syntax),
        samples=layout.samples,
        bits_allocated=layout.bits_allocated,
        rows=layout.rows,
        columns=layout.columns,
        signed=layout.signed,
    )


def _colour(photometric: str, syntax: str) -> str:
    """Say what colours are once they are in *syntax*: HTJ2K applies its reversible transform."""
    return "YBR_RCT" if (photometric, syntax) == ("RGB", HTJ2K_LOSSLESS) else photometric


def header(path: Path, layout: Layout | None, syntax: str) -> bytes:
    """Return the Part 10 file at *path* in *syntax* up to its pixel data; *layout* is None when it has none.

    It parses the whole data set: run it by `Confinement.run`. What stands behind pixel data (signatures over what is now
    written otherwise, padding) is left out.
    """
    data_set = dcmread(path, stop_before_pixels=layout is not None)
    if data_set.file_meta.TransferSyntaxUID in _LOSSY:
        data_set.LossyImageCompression = "01"  # PS3.3 C.7.6.1.1.5: once lossy, always
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in data_set:
            del data_set[keyword]
    if layout is not None and layout.samples > 1 and not (layout.native and syntax in UNCOMPRESSED):
        data_set.PhotometricInterpretation, data_set.PlanarConfiguration = _colour("RGB", syntax), 0
    out = io.BytesIO()
    dcmwrite(out, data_set, implicit_vr=syntax == IMPLICIT_LITTLE, little_endian=True, enforce_file_format=False, overwrite=True)
    return out.getvalue()


def write_pixels(out: BinaryIO, layout: Layout, syntax: str, frames: Iterable[bytes]) -> None:
    """Write the pixel data of an object in *syntax* after its `header`; *frames* are all of them, in that syntax."""
    if syntax not in UNCOMPRESSED:
        out.write(_PIXEL_DATA + b"OB\0\0" + struct.pack("<I", UNDEFINED) + _ITEM + struct.pack("<I", 0))
        for frame in frames:
            odd = len(frame) % 2
            out.write(_ITEM + struct.pack("<I", len(frame) + odd) + frame + b"\0" * odd)
        out.write(_SEQUENCE_END)
        return
    keyword_tag = next(tag for tag, keyword in PIXEL_KEYWORDS.items() if keyword == layout.keyword)
    vr = {0x7FE00008: b"OF", 0x7FE00009: b"OD"}.get(keyword_tag, b"OB" if layout.bits_allocated <= 8 else b"OW")
    stated = b"" if syntax == IMPLICIT_LITTLE else vr + b"\0\0"
    length_at = out.tell() + 4 + len(stated)
    out.write(struct.pack("<HH", keyword_tag >> 16, keyword_tag & 0xFFFF) + stated + struct.pack("<I", 0))
    length = sum(out.write(frame) for frame in frames)
    out.write(b"\0" * (length % 2))
    if length + 1 >= UNDEFINED:
        raise Invalid("the pixels are more than an uncompressed object can hold", code="too-large")
    out.seek(length_at)
    out.write(struct.pack("<I", length + length % 2))
