"""Where every frame of a stored object lies, and how its pixels are written: read once, kept, then one pread a frame."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from dicom_node.imaging.elements import (
    DEFLATED,
    ITEM,
    UNDEFINED,
    Element,
    Encoding,
    FileSource,
    Source,
    open_data_set,
    top_level,
)
from telemed.kernel.errors import Invalid, NotFound

#: The transfer syntaxes whose pixels are not compressed (the deflated one is compressed as a whole, before them).
NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", DEFLATED, "1.2.840.10008.1.2.2"})

#: A frame larger than this, decoded, is not opened: 16384 x 16384 grey pixels of 8 bits.
MAXIMUM_FRAME_BYTES = 256 << 20
MAXIMUM_FRAGMENTS = 500_000
MAXIMUM_FRAMES = 500_000

PIXEL_KEYWORDS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
_SMALL = frozenset(
    {0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103}
)


@dataclass(frozen=True)
class Span:
    """A run of bytes in the file."""

    offset: int
    length: int


@dataclass(frozen=True)
class Layout:
    """The Image Pixel module of one object (PS3.3 C.7.6.3) and the place of its frames.

    *value* is the whole of native pixel data; *fragments* holds, for compressed pixel data, each frame's fragments.
    """

    transfer_syntax_uid: str
    keyword: str
    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    frames: int
    big: bool
    words: bool
    value: Span
    fragments: tuple[tuple[Span, ...], ...]

    @property
    def native(self) -> bool:
        """Whether the pixels are stored as they are."""
        return self.transfer_syntax_uid in NATIVE

    @property
    def frame_bits(self) -> int:
        """The bits of one native frame as stored."""
        bits = self.rows * self.columns * self.samples * self.bits_allocated
        if self.native and self.photometric == "YBR_FULL_422":
            return bits * 2 // 3
        return bits

    def to_bytes(self) -> bytes:
        """Return it in a form `from_bytes` reads."""
        return zlib.compress(json.dumps(astuple(self), separators=(",", ":")).encode(), level=1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Layout:
        """Read what `to_bytes` wrote."""
        fields = json.loads(zlib.decompress(data))
        fields[-2:] = Span(*fields[-2]), tuple(tuple(Span(*span) for span in frame) for frame in fields[-1])
        return cls(*fields)

    def check(self, number: int) -> None:
        """Refuse a frame that is not there (they count from 1), or whose pixels nobody can hold."""
        if not 1 <= number <= self.frames:
            raise NotFound(f"this object has {self.frames} frame(s); there is no frame {number}")
        if self.rows * self.columns * self.samples * max(1, self.bits_allocated // 8) > MAXIMUM_FRAME_BYTES:
            raise Invalid(
                f"a frame of {self.columns} x {self.rows} pixels is more than {MAXIMUM_FRAME_BYTES >> 20} MiB; it is not opened",
                code="too-large",
            )


def layout_of(path: Path) -> Layout:
    """Read the layout of the Part 10 file at *path*; NotFound when it holds no pixels, Invalid when they contradict it.

    A deflated file is inflated for it: use a confined worker for those.
    """
    with FileSource(path) as source:
        return read_layout(source)


@dataclass(frozen=True)
class _Header:
    """What the walk kept: the small values, the places of the offset tables and of the pixels."""

    encoding: Encoding
    small: dict[int, bytes]
    tables: dict[int, Element]
    pixels: Element

    def number(self, tag: int, default: int) -> int:
        value = self.small.get(tag, b"")
        return int(struct.unpack(self.encoding.order + "H", value[:2])[0]) if len(value) >= 2 else default

    def text(self, tag: int) -> str:
        return self.small.get(tag, b"").decode("ascii", "replace").strip("\0 ")


def read_layout(file: Source) -> Layout:
    """Read the layout of the Part 10 file behind *file*; offsets are those of the inflated data set if it was deflated."""
    syntax, source, offset, encoding = open_data_set(file)
    small: dict[int, bytes] = {}
    tables: dict[int, Element] = {}
    for element in top_level(source, offset, encoding):
        if element.tag in _SMALL and element.length <= 64:
            small[element.tag] = source.at(element.offset, element.length)
        elif element.tag in (_EXTENDED_OFFSETS, _EXTENDED_LENGTHS):
            tables[element.tag] = element
        elif element.tag in PIXEL_KEYWORDS:
            return _layout(syntax, source, _Header(encoding, small, tables, element))
        elif element.tag > 0x7FE00010:
            break
    raise NotFound("this object holds no pixels", code="no-pixels")


def _layout(syntax: str, source: Source, header: _Header) -> Layout:
    pixels = header.pixels
    keyword = PIXEL_KEYWORDS[pixels.tag]
    bits = {"PixelData": header.number(0x00280100, 0), "FloatPixelData": 32, "DoubleFloatPixelData": 64}[keyword]
    rows, columns, samples = header.number(0x00280010, 0), header.number(0x00280011, 0), header.number(0x00280002, 1)
    if not rows or not columns or bits not in (1, 8, 16, 32, 64) or samples not in (1, 3):
        raise Invalid(
            f"the image says {columns} x {rows} pixels, {samples} sample(s) of {bits} bits; that cannot be shown",
            code="unreadable",
        )
    frames = _count(header.text(0x00280008))
    compressed = syntax not in NATIVE
    if compressed != (pixels.length == UNDEFINED):
        raise Invalid("the transfer syntax and the way the pixels are written contradict each other", code="unreadable")
    layout = Layout(
        transfer_syntax_uid=syntax,
        keyword=keyword,
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=header.text(0x00280004) or ("RGB" if samples == 3 else "MONOCHROME2"),
        planar=header.number(0x00280006, 0) if samples > 1 else 0,
        bits_allocated=bits,
        bits_stored=min(header.number(0x00280101, bits), bits) or bits,
        signed=header.number(0x00280103, 0) == 1,
        frames=frames,
        big=header.encoding.big,
        words=pixels.vr == b"OW" or not header.encoding.explicit,
        value=Span(pixels.offset, 0 if compressed else pixels.length),
        fragments=_frames_of(source, pixels.offset, frames, _extended(source, header.tables)) if compressed else (),
    )
    if not compressed and (layout.frame_bits * frames + 7) // 8 > min(pixels.length, source.size - pixels.offset):
        raise Invalid(
            f"the pixels end early: {frames} frame(s) of {columns} x {rows} do not fit in {pixels.length} bytes",
            code="unreadable",
        )
    return layout


def _count(text: str) -> int:
    digits = text.strip().split("\\")[0]
    frames = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 1
    if frames > MAXIMUM_FRAMES:
        raise Invalid(f"the image says it has {frames} frames; at most {MAXIMUM_FRAMES} are opened", code="too-large")
    return max(1, frames)


def _extended(source: Source, tables: dict[int, Element]) -> list[int]:
    """Return the Extended Offset Table (PS3.3 C.7.6.3.1.8), empty when absent."""
    element = tables.get(_EXTENDED_OFFSETS)
    if element is None or element.length > 8 * MAXIMUM_FRAMES:
        return []
    return list(struct.unpack(f"<{element.length // 8}Q", source.at(element.offset, element.length // 8 * 8)))


def _frames_of(source: Source, offset: int, frames: int, extended: list[int]) -> tuple[tuple[Span, ...], ...]:
    """Give each frame its fragments (PS3.5 Annex A.4): by the offset tables when they are right, else by looking."""
    table, *rest = _items(source, offset)
    if not rest:
        raise Invalid("the compressed pixels are empty", code="unreadable")
    if frames == 1:
        return (tuple(rest),)
    if len(rest) == frames:
        return tuple((span,) for span in rest)
    known = {span.offset - 8 for span in rest}
    basic = list(struct.unpack(f"<{table.length // 4}I", source.at(table.offset, table.length // 4 * 4)))
    for offsets in (extended, basic):
        starts = [rest[0].offset - 8 + at for at in offsets]
        if len(starts) == frames and known.issuperset(starts):
            return _grouped(rest, starts)
    # No table that fits: a new frame begins where a fragment begins with JPEG's SOI or JPEG 2000's SOC.
    starts = [span.offset - 8 for span in rest if span.length > 1 and source.at(span.offset, 2) in (b"\xff\xd8", b"\xff\x4f")]
    if len(starts) == frames and starts[0] == rest[0].offset - 8:
        return _grouped(rest, starts)
    raise Invalid(f"it cannot be told which of the {len(rest)} pieces make up the {frames} frames", code="unreadable")


def _items(source: Source, offset: int) -> list[Span]:
    """Return the items of encapsulated pixel data, the basic offset table's first."""
    spans: list[Span] = []
    while offset + 8 <= source.size:
        group, number, length = struct.unpack("<HHI", source.at(offset, 8))
        if group << 16 | number != ITEM or length == UNDEFINED:
            break  # the sequence delimiter, or whatever a sender put in its place
        spans.append(Span(offset + 8, length))
        if len(spans) > MAXIMUM_FRAGMENTS:
            raise Invalid(f"the compressed pixels come in more than {MAXIMUM_FRAGMENTS} pieces", code="too-large")
        offset += 8 + length
    if not spans or offset > source.size:
        raise Invalid("the compressed pixels end early; send the object again", code="unreadable")
    return spans


def _grouped(spans: Sequence[Span], starts: Sequence[int]) -> tuple[tuple[Span, ...], ...]:
    openings = set(starts)
    groups: list[list[Span]] = []
    for span in spans:
        if span.offset - 8 in openings:
            groups.append([])
        if groups:
            groups[-1].append(span)
    return tuple(tuple(group) for group in groups)
