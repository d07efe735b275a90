"""A bounded walk over a data set that trusts nothing: where each element lies, and whether the whole is there.

It reads top-level elements only (PS3.5 7.1) and steps over everything else by its length. Sequences and fragments of
undefined length are followed with a list instead of recursion, to a fixed depth; the number of steps is fixed too. Only
`holds` goes into sequences, along one path.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from telemed.kernel.errors import Invalid

DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"

PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF

MAX_DEPTH = 64
MAX_STEPS = 2_000_000
#: Elements between two calls of *forget*: each may lie in another 64 KiB of a mapped file, which come into memory at once.
_BEFORE_FORGETTING = 1024
MAX_VALUE = 64 << 10
MAX_HEADER = 64 << 20
MAX_INFLATED = 512 << 20
_FED_AT_ONCE = 64 << 10

_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
#: PS3.5 7.1.2: these have a 16-bit length, every other VR, known or to come, a 32-bit one after two reserved bytes.
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = _VRS - _SHORT_VRS
#: Tag and 32-bit length, a short and a long number, and the head of an element with a 16-bit length.
_LITTLE_ENDIAN = struct.Struct("<HHI"), struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<HH2sH")
_BIG_ENDIAN = struct.Struct(">HHI"), struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">HH2sH")


@dataclass(frozen=True)
class Scanned:
    """The raw values of the wanted elements, at most MAX_VALUE bytes of each, and which elements are there at all.

    The value of a sequence is its items as they are encoded.
    """

    values: Mapping[int, bytes]
    present: AbstractSet[int]
    little_endian: bool


def scan(
    data: memoryview, transfer_syntax_uid: str, wanted: AbstractSet[int], forget: Callable[[], object] = lambda: None
) -> Scanned:
    """Walk the data set *data* to its end; keep the values of the tags *wanted*.

    *forget* is called now and then: of a mapped file it may let the pages go that were looked at.

    The transfer syntax is believed about byte order and deflation only: whether VRs are explicit is seen from the data,
    because private syntaxes do not say and some writers get it wrong.

    Raises
    ------
    Invalid
        code "unreadable": not a data set, truncated, or past a limit.
    """
    return _walk(data, transfer_syntax_uid, wanted).run(forget)


def holds(data: memoryview, transfer_syntax_uid: str, path: Sequence[int]) -> bool:
    """Tell whether an element with a value lies at *path*: the tags of sequences, through any of their items, then its own.

    Raises
    ------
    Invalid
        code "unreadable": damaged before the first such element, or past a limit.
    """
    return _walk(data, transfer_syntax_uid, frozenset()).holds(path)


def _walk(data: memoryview, transfer_syntax_uid: str, wanted: AbstractSet[int]) -> _Walk:
    end = len(data)
    if transfer_syntax_uid == DEFLATED:
        data, end = _inflated(data)
    if end == 0:
        raise Invalid("the object is empty: there is no data set in it", code="unreadable")
    return _Walk(data, end, transfer_syntax_uid != EXPLICIT_BIG_ENDIAN, wanted)


#: An Item Delimitation Item of PS3.5 7.5, little endian.
ITEM_DELIMITATION = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)


class _Walk:
    def __init__(self, data: memoryview, end: int, little_endian: bool, wanted: AbstractSet[int]) -> None:  # noqa: FBT001 - private
        self._data = data
        self._end = end
        self._little_endian = little_endian
        self._tag, self._short, self._long, self._explicit_head = _LITTLE_ENDIAN if little_endian else _BIG_ENDIAN
        self._wanted = wanted
        self._values: dict[int, bytes] = {}
        self._present: set[int] = set()
        self._sequence: tuple[int, int] | None = None  # the wanted sequence of undefined length that is open, and its beginning
        self._enclosing: list[bool] = []  # for each open sequence or item, whether VRs were explicit outside it
        self._explicit = bytes(data[4:6]) in _VRS

    def run(self, forget: Callable[[], object]) -> Scanned:
        position, steps = self._plainly(0)
        due = _BEFORE_FORGETTING
        while position < self._end and not self._is_padding(position):
            position = self._step(position)
            steps += 1
            if self._explicit and not self._enclosing:
                position, more = self._plainly(position)
                steps += more
            if steps >= due:
                due = steps + _BEFORE_FORGETTING
                forget()
            if steps > MAX_STEPS:
                raise Invalid(f"the data set has more than {MAX_STEPS} elements", code="unreadable")
        if self._enclosing:
            raise _truncated(self._end)
        return Scanned(self._values, self._present, self._little_endian)

    def holds(self, path: Sequence[int]) -> bool:
        position, followed, explicit = 0, 0, self._explicit
        # what is open: where it ends (_UNDEFINED until its delimiter), and `followed` and `explicit` as they were outside it
        enclosing: list[tuple[int, int, bool]] = []
        for _ in range(MAX_STEPS):
            while enclosing and position >= enclosing[-1][0]:
                _, followed, explicit = enclosing.pop()
            if self._end - position < 8:
                return False
            tag, length, begin, vr = self._element(position, explicit)
            on_path = followed >= 0 and tag == path[followed]
            if on_path and followed == len(path) - 1:
                if length:
                    return True
                position = begin
            elif tag in (_ITEM_END, _SEQUENCE_END):
                if enclosing:
                    _, followed, explicit = enclosing.pop()
                position = begin
            elif tag == _ITEM or on_path or length == _UNDEFINED:
                if len(enclosing) >= 2 * MAX_DEPTH:
                    raise Invalid(f"the data set is nested more than {MAX_DEPTH} levels deep", code="unreadable")
                enclosing.append((_UNDEFINED if length == _UNDEFINED else begin + length, followed, explicit))
                explicit = explicit and vr != b"UN"  # PS3.5 6.2.2, as in `_step`
                followed = followed if tag == _ITEM else followed + 1 if on_path else -1
                position = begin
            else:
                position = begin + length
        raise Invalid(f"the data set has more than {MAX_STEPS} elements", code="unreadable")

    def _plainly(self, position: int) -> tuple[int, int]:
        """Step over elements outside any sequence while each has a known VR and a length that fits: most do.

        Return where the first other one begins, which is `_step`'s to judge, and how many these were.
        """
        if not self._explicit:
            return position, 0
        data, end, wanted, values, add = self._data, self._end, self._wanted, self._values, self._present.add
        head, long, short_vrs, long_vrs, steps = self._explicit_head.unpack_from, self._long.unpack_from, _SHORT_VRS, _LONG_VRS, 0
        there = min(end, len(data))
        last = there - 12
        while position <= last and steps < _BEFORE_FORGETTING:
            group, element, vr, length = head(data, position)
            if vr in short_vrs:
                begin = position + 8
            elif vr in long_vrs:
                length, begin = long(data, position + 8)[0], position + 12
            else:
                break
            beyond = begin + length
            if beyond > end or length == _UNDEFINED or group == 0xFFFE:
                break
            tag = group << 16 | element
            add(tag)
            if tag in wanted and tag not in values:
                short = length <= MAX_VALUE and beyond <= there
                values[tag] = bytes(data[begin:beyond]) if short else self._value(begin, min(length, MAX_VALUE))
            position = beyond
            steps += 1
        return position, steps

    def _is_padding(self, position: int) -> bool:
        """Tell whether only a few zeros follow, which some writers leave behind the last element."""
        return self._end - position < 8 and not self._enclosing and not any(self._data[position:])

    def _step(self, position: int) -> int:
        """Take one element, item or delimiter; return where the next one begins."""
        if self._end - position < 8:
            raise _truncated(position)
        tag, length, begin, vr = self._element(position, self._explicit)
        if tag in (_ITEM_END, _SEQUENCE_END):
            self._close(position)
            return begin
        if tag == 0 and position >= 4 and self._value(position - 4, 8) == ITEM_DELIMITATION:
            return position + 4  # some writers leave the length of that delimiter out of their sequence's
        if not self._enclosing:
            self._present.add(tag)
        if length == _UNDEFINED:
            if len(self._enclosing) >= MAX_DEPTH:
                raise Invalid(f"the data set is nested more than {MAX_DEPTH} levels deep", code="unreadable")
            if not self._enclosing and tag in self._wanted:
                self._sequence = tag, begin
            self._enclosing.append(self._explicit)
            self._explicit = self._explicit and vr != b"UN"  # PS3.5 6.2.2: UN of undefined length is implicit inside
            return begin
        if length > self._end - begin:
            raise _truncated(begin)
        if not self._enclosing and tag in self._wanted and tag not in self._values:
            self._values[tag] = self._value(begin, min(length, MAX_VALUE))
        return begin + length

    def _close(self, position: int) -> None:
        """End the innermost open sequence or item at *position*."""
        if self._enclosing:
            self._explicit = self._enclosing.pop()
        if self._sequence is not None and not self._enclosing:
            tag, first = self._sequence
            self._values.setdefault(tag, self._value(first, min(position - first, MAX_VALUE)))
            self._sequence = None

    def _element(self, position: int, explicit: bool) -> tuple[int, int, int, bytes]:  # noqa: FBT001 - private
        """Return tag, length, where the value begins, and the VR (empty where there is none)."""
        header = self._value(position, min(12, self._end - position))
        group, element, length = self._tag.unpack_from(header)
        tag = group << 16 | element
        vr = header[4:6]
        if not explicit or group == 0xFFFE or not (vr.isalpha() and vr.isupper()):
            return tag, length, position + 8, b""
        if vr in _SHORT_VRS:
            return tag, self._short.unpack_from(header, 6)[0], position + 8, vr
        if len(header) < 12:
            raise _truncated(position)
        return tag, self._long.unpack_from(header, 8)[0], position + 12, vr

    def _value(self, begin: int, length: int) -> bytes:
        if begin + length > len(self._data):  # only ever with a deflated data set, of which the beginning is kept
            raise Invalid(f"the header is longer than {MAX_HEADER >> 20} MiB", code="unreadable")
        return bytes(self._data[begin : begin + length])


def _truncated(position: int) -> Invalid:
    return Invalid(f"the data set is truncated or damaged at byte {position}: send the object again", code="unreadable")


def _inflated(data: memoryview) -> tuple[memoryview, int]:
    """Inflate (PS3.5 A.5): return at most MAX_HEADER bytes of the beginning, and how long the whole is."""
    beginning = bytearray()
    total = 0
    for chunk in _inflating(data):
        total += len(chunk)
        if len(beginning) < MAX_HEADER:
            beginning += chunk
        if total > MAX_INFLATED:
            raise Invalid(f"the data set inflates to more than {MAX_INFLATED >> 20} MiB", code="unreadable")
    return memoryview(beginning), total


def _inflating(data: memoryview) -> Iterator[bytes]:
    """Yield the inflated bytes in pieces of at most 1 MiB, fed in small ones: what is not yet consumed is copied each time."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for begin in range(0, len(data), _FED_AT_ONCE):
            piece = bytes(data[begin : begin + _FED_AT_ONCE])
            while piece and not inflater.eof:
                yield inflater.decompress(piece, 1 << 20)
                piece = inflater.unconsumed_tail
        while not inflater.eof:
            chunk = inflater.decompress(b"", 1 << 20)
            if not chunk:
                raise Invalid("the deflated data set is truncated: send the object again", code="unreadable")
            yield chunk
    except zlib.error as error:
        raise Invalid(f"the deflated data set is damaged: {error}", code="unreadable") from None
