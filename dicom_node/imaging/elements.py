"""A bounded walk over the top level of a Part 10 file: where each element is, without reading what it holds.

Sequences are stepped over without recursion; steps, nesting and the bytes looked at have limits, so that a hostile file
costs no more than an honest one. It reads a header in a few small reads however large the object is.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from telemed.kernel.errors import Invalid

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

UNDEFINED = 0xFFFFFFFF
#: An Item Delimitation Item of PS3.5 7.5, little endian.
ITEM_DELIMITATION = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
#: VRs with a 32-bit length in the explicit encodings (PS3.5 Table 7.1-1).
LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

#: An enhanced object of 10,000 frames has some 500,000 elements in its functional groups.
MAXIMUM_STEPS = 2_000_000
MAXIMUM_DEPTH = 64
#: What a deflated data set may grow to; deflate reaches 1:1000, pixels that were worth sending do not.
MAXIMUM_INFLATED = 256 << 20
_CHUNK = 1 << 16
#: Tag, VR and short length, by whether they are big endian.
_STATED = {False: struct.Struct("<HH2sH"), True: struct.Struct(">HH2sH")}


class Source(Protocol):
    """Bytes that can be read anywhere."""

    size: int

    def at(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes from *offset*; Invalid when they are not all there."""
        ...


class FileSource:
    """A file, read in place; a chunk at a time for what is small."""

    def __init__(self, path: Path) -> None:
        """Open *path*; close it by leaving a ``with`` block."""
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._file).st_size
        self._chunk, self._chunk_at = b"", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._file)

    def at(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes from *offset*; Invalid when they are not all there."""
        if offset < 0 or offset + length > self.size:
            raise Invalid("the file ends before its data set does; send it again", code="unreadable")
        if length >= _CHUNK:
            return _whole(os.pread(self._file, length, offset), length, self._file, offset)
        start = offset - self._chunk_at
        if start < 0 or start + length > len(self._chunk):
            self._chunk, self._chunk_at, start = os.pread(self._file, _CHUNK, offset), offset, 0
        return self._chunk[start : start + length]


def _whole(data: bytes, length: int, file: int, offset: int) -> bytes:
    parts = [data]
    have = len(data)
    while have < length:
        part = os.pread(file, length - have, offset + have)
        if not part:
            raise Invalid("the file ends before its data set does; send it again", code="unreadable")
        parts.append(part)
        have += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class BytesSource:
    """Bytes already in memory."""

    def __init__(self, data: bytes) -> None:
        """Read from *data*."""
        self._data = data
        self.size = len(data)

    def at(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes from *offset*; Invalid when they are not all there."""
        if offset < 0 or offset + length > self.size:
            raise Invalid("the file ends before its data set does; send it again", code="unreadable")
        return self._data[offset : offset + length]


@dataclass(frozen=True)
class Encoding:
    """How a data set is written: byte order and whether each VR is said."""

    explicit: bool
    big: bool

    @property
    def order(self) -> str:
        """The struct prefix of the byte order."""
        return ">" if self.big else "<"


class Element(NamedTuple):
    """One element's place: *offset* of its value; *length* may be UNDEFINED; *vr* is empty when not said."""

    tag: int
    vr: bytes
    offset: int
    length: int


def transfer_syntax_of(source: Source) -> tuple[str, int]:
    """Return the transfer syntax a Part 10 file names and the offset of its data set; Invalid when it is none."""
    if source.size < 136 or source.at(128, 4) != b"DICM":
        raise Invalid("this is not a DICOM file: the mark DICM is missing at byte 128", code="unreadable")
    syntax, offset = "", 132
    while offset + 8 <= source.size and source.at(offset, 2) == b"\x02\x00":
        element = _element(source, offset, Encoding(explicit=True, big=False))
        if element.length == UNDEFINED:
            raise Invalid("the file's meta header holds an element without a length", code="unreadable")
        if element.tag == 0x00020010:
            syntax = source.at(element.offset, min(element.length, 64)).decode("ascii", "replace").strip("\0 ")
        offset = element.offset + element.length
    if not syntax:
        raise Invalid("the file does not name its transfer syntax (0002,0010)", code="unreadable")
    return syntax, offset


def open_data_set(source: Source) -> tuple[str, Source, int, Encoding]:
    """Return the transfer syntax, where to read the data set from, its offset there, and how it is written.

    A deflated data set is inflated into memory (at most MAXIMUM_INFLATED bytes): do that in a confined worker.
    """
    syntax, offset = transfer_syntax_of(source)
    if syntax == DEFLATED:
        return syntax, BytesSource(_inflated(source, offset)), 0, Encoding(explicit=True, big=False)
    encoding = Encoding(explicit=syntax != IMPLICIT_LITTLE, big=syntax == EXPLICIT_BIG)
    if encoding.explicit and offset + 8 <= source.size and not _looks_like_vr(source.at(offset + 4, 2)):
        encoding = Encoding(explicit=False, big=False)  # a known fault of some toolkits: labelled explicit, written implicit
    return syntax, source, offset, encoding


def _looks_like_vr(two: bytes) -> bool:
    return len(two) == 2 and two.isalpha() and two.isupper()


def _inflated(source: Source, offset: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(source.at(offset, source.size - offset), MAXIMUM_INFLATED)
    if inflater.unconsumed_tail:
        raise Invalid(f"the deflated data set grows past {MAXIMUM_INFLATED >> 20} MiB", code="too-large")
    return data


def _element(source: Source, offset: int, encoding: Encoding) -> Element:
    group, number, vr, short = _STATED[encoding.big].unpack(head := source.at(offset, 8))
    tag = group << 16 | number
    if not encoding.explicit or group == 0xFFFE:
        return Element(tag, b"", offset + 8, int.from_bytes(head[4:], "big" if encoding.big else "little"))
    if vr in LONG:
        return Element(tag, vr, offset + 12, int.from_bytes(source.at(offset + 8, 4), "big" if encoding.big else "little"))
    return Element(tag, vr, offset + 8, short)


def top_level(source: Source, offset: int, encoding: Encoding) -> Iterator[Element]:
    """Yield the elements of the data set at *offset*, each sequence as one; stop at encapsulated pixel data or the end."""
    for _ in range(MAXIMUM_STEPS):
        if offset + 8 > source.size:
            return
        element = _element(source, offset, encoding)
        if element.tag == 0 and source.at(offset - 4, 8) == ITEM_DELIMITATION:
            offset += 4  # as the archive reads it
            continue
        yield element
        if element.tag >> 16 == 0x7FE0 and element.length == UNDEFINED:
            return
        offset = element.offset + element.length if element.length != UNDEFINED else _past(source, element, encoding)
    raise Invalid("the data set has more elements than an image can need", code="unreadable")


def _past(source: Source, opened: Element, encoding: Encoding) -> int:
    """Return the offset after the sequence *opened*, whose length is undefined (PS3.5 section 7.5)."""
    levels = [_inside(opened, encoding)]
    offset = opened.offset
    for _ in range(MAXIMUM_STEPS):
        element = _element(source, offset, levels[-1])
        offset = element.offset
        if element.tag in (ITEM_END, SEQUENCE_END):
            levels.pop()
            if not levels:
                return offset
        elif element.length == UNDEFINED:
            levels.append(_inside(element, levels[-1]))
            if len(levels) > 2 * MAXIMUM_DEPTH:
                raise Invalid(f"the data set nests sequences deeper than {MAXIMUM_DEPTH} levels", code="unreadable")
        else:
            offset += element.length
    raise Invalid("a sequence has more elements than an image can need", code="unreadable")


def _inside(element: Element, encoding: Encoding) -> Encoding:
    # PS3.5 section 6.2.2: an element of VR UN and undefined length is an implicit little endian sequence.
    return Encoding(explicit=False, big=False) if element.vr == b"UN" else encoding
