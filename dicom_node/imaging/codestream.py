"""What a compressed frame says of itself, read before any decoder sees it: a decoder allocates what the header asks for."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dicom_node.imaging.layout import MAXIMUM_FRAME_BYTES, Layout
from telemed.kernel.errors import Invalid

RLE = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
#: SOF0..SOF15 and JPEG-LS's SOF55, without DHT, JPG and DAC which share the range (ISO/IEC 10918-1 Table B.1).
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})
#: Of those, the ones that code samples without a cosine transform.
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF, 0xF7})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
#: Adobe's marker ends with the byte that says the transform; writers are known who leave it out.
_WHOLE_ADOBE = 14
_SIZ = b"\xff\x4f\xff\x51"
#: Real images have hundreds of tiles; a million tiny ones cost a decoder minutes.
_MAXIMUM_TILES = 65535


@dataclass(frozen=True)
class Extent:
    """What a codestream announces: its size, and for JPEG how it codes and whether JFIF or Adobe says what its colours are."""

    columns: int
    rows: int
    components: int
    precision: int
    lossless: bool = False
    transformed: bool = False
    tells_colour: bool = False


def extent_of(data: bytes) -> Extent | None:
    """Return what a JPEG, JPEG-LS or JPEG 2000 codestream announces; None when the bytes are of another kind."""
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    at = data.find(_SIZ, 0, 4096)
    return _jpeg_2000(data, at + 4) if at >= 0 else None


def _jpeg(data: bytes) -> Extent:
    at, tells_colour = 2, False
    while at + 9 < len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_HEADERS:
            precision, rows, columns, components = struct.unpack(">BHHB", data[at + 4 : at + 10])
            lossless = marker in _LOSSLESS
            return Extent(columns, rows, components, precision, lossless, not lossless, tells_colour)
        length = int(struct.unpack(">H", data[at + 2 : at + 4])[0])
        name = data[at + 4 : at + 9]
        tells_colour |= name == b"JFIF\0" or (name == b"Adobe" and length >= _WHOLE_ADOBE)
        at += 2 + length
    raise Invalid("the compressed frame has no JPEG frame header", code="unreadable")


def _jpeg_2000(data: bytes, at: int) -> Extent:
    if len(data) < at + 39:
        raise Invalid("the compressed frame ends within its JPEG 2000 header", code="unreadable")
    x1, y1, x0, y0, tile_x, tile_y = struct.unpack(">6I", data[at + 4 : at + 28])
    components, precision = struct.unpack(">HB", data[at + 36 : at + 39])
    if not tile_x or not tile_y or x1 <= x0 or y1 <= y0 or -(-x1 // tile_x) * -(-y1 // tile_y) > _MAXIMUM_TILES:
        raise Invalid("the compressed frame's JPEG 2000 header makes no image", code="unreadable")
    return Extent(x1 - x0, y1 - y0, components, (precision & 0x7F) + 1)


def check(data: bytes, layout: Layout) -> Extent | None:
    """Return what a frame's own header says, None for RLE; refuse one that contradicts the data set's Rows, Columns and samples.

    Raises
    ------
    Invalid
        with code "contradiction" or "too-large".
    """
    raw = layout.rows * layout.columns * layout.samples * max(1, layout.bits_allocated // 8)
    if raw > MAXIMUM_FRAME_BYTES or len(data) > 2 * raw + (1 << 20):
        raise Invalid("the compressed frame is larger than its pixels can be", code="too-large")
    if layout.transfer_syntax_uid == RLE:
        return None
    found = extent_of(data)
    if found is None:
        raise Invalid(
            f"the frame is not of the kind its transfer syntax {layout.transfer_syntax_uid} names, or is not supported",
            code="unreadable",
        )
    # A height of 0 in JPEG is given after the first scan (DNL); the decoder then checks it against ours.
    if (found.columns, found.components) != (layout.columns, layout.samples) or found.rows not in (layout.rows, 0):
        raise Invalid(
            f"the compressed frame says {found.columns} x {found.rows} pixels of {found.components} sample(s), "
            f"the data set {layout.columns} x {layout.rows} of {layout.samples}",
            code="contradiction",
        )
    return found
