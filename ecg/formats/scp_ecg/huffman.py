"""The Huffman codes of section 2 (EN 1064, 5.5 and annex C.3): the default table, a file's own, and switching between them."""

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError

DEFAULT = 19999
MAX_PREFIX, MAX_CODE, MAX_TABLES, MAX_CODES = 16, 32, 4, 1024

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Code:
    """One code: *prefix* of *prefix_bits*; the bits after it up to *bits* are a number in the stream, else *value* is meant.

    Without *is_value* it switches to the table number *value*, counted from 1.
    """

    prefix_bits: int
    bits: int
    is_value: bool
    value: int
    prefix: int


@dataclass(frozen=True)
class Table:
    """The codes of one table."""

    codes: tuple[Code, ...]

    @cached_property
    def window_bits(self) -> int:
        """The longest prefix: so many bits decide the code."""
        return max(code.prefix_bits for code in self.codes)

    @cached_property
    def lookup(self) -> NDArray[np.int16]:
        """The index of the code for each window of bits, -1 where there is none."""
        found = np.full(1 << self.window_bits, -1, np.int16)
        for index, code in enumerate(self.codes):
            spare = self.window_bits - code.prefix_bits
            found[code.prefix << spare : (code.prefix + 1) << spare] = index
        return found


def _default() -> Table:
    codes = [Code(1, 1, True, 0, 0)]  # noqa: FBT003 - a row of the standard's table
    for size in range(1, 9):
        prefix = ((1 << (size + 2)) - 1) ^ 0b11  # ones, then 0, then the sign
        codes += [Code(size + 2, size + 2, True, sign * size, prefix | (sign < 0)) for sign in (1, -1)]  # noqa: FBT003 - see above
    codes += [Code(10, 18, True, 0, 0x3FE), Code(10, 26, True, 0, 0x3FF)]  # noqa: FBT003 - see above
    return Table(tuple(codes))


def tables(name: str, section: bytes) -> tuple[Table, ...]:
    """Return the tables of section 2, the standard's own where it names 19999."""
    count = struct.unpack_from("<H", section)[0]
    if count == DEFAULT:
        return (_default(),)
    if not 1 <= count <= MAX_TABLES:
        raise EcgError(f"{name} announces {count} Huffman tables; from 1 to {MAX_TABLES} are read.")
    found, at = [], 2
    for _ in range(count):
        size = struct.unpack_from("<H", section, at)[0]
        if not 1 <= size <= MAX_CODES:
            raise EcgError(f"{name} announces a Huffman table of {size} codes; from 1 to {MAX_CODES} are read.")
        found.append(Table(tuple(_code(name, section, at + 2 + 9 * number) for number in range(size))))
        at += 2 + 9 * size
    return tuple(found)


def _code(name: str, section: bytes, at: int) -> Code:
    prefix_bits, bits, mode, value, reversed_prefix = struct.unpack_from("<BBBhI", section, at)
    if not 1 <= prefix_bits <= MAX_PREFIX or not prefix_bits <= bits <= MAX_CODE:
        raise EcgError(f"{name} has a Huffman code of {prefix_bits} and {bits} bits, which cannot be; send it again.")
    prefix = int(f"{reversed_prefix & ((1 << prefix_bits) - 1):0{prefix_bits}b}"[::-1], 2)  # its first bit is the lowest
    return Code(prefix_bits, bits, mode != 0, value, prefix)


def decode(name: str, data: bytes, count: int, tables: tuple[Table, ...]) -> Counts:
    """Return the first *count* numbers of the stream, most significant bit first; `EcgError` when it ends before."""
    codes = [code for table in tables for code in table.codes]
    bits, targets = [code.bits for code in codes], [0 if code.is_value else code.value for code in codes]
    streams: dict[int, list[int]] = {}
    places: list[int] = []
    picked: list[int] = []
    table, at, end = 1, 0, len(data) * 8
    while len(places) < count:
        if table not in streams:
            if not 1 <= table <= len(tables):
                raise EcgError(f"{name} switches to a Huffman table it does not have; send it again.")
            streams[table] = _indices(data, tables, table - 1)
        stream = streams[table]
        for _ in range(count - len(places)):  # until they are all there, or the table changes
            index = stream[at] if at < end else -1
            if index < 0:
                raise EcgError(f"{name} is damaged: a lead ends after {len(places)} of {count} samples; send it again.")
            if targets[index]:
                break
            places.append(at)
            picked.append(index)
            at += bits[index]
        else:
            break
        table, at = targets[index], at + bits[index]
    if at > end:
        raise EcgError(f"{name} is damaged: the last sample of a lead is cut off; send it again.")
    return _values(data, np.array(places, np.int64), codes, np.array(picked, np.int64))


def _indices(data: bytes, tables: tuple[Table, ...], number: int) -> list[int]:
    """Return which code of all tables would begin at each bit in the table *number*, -1 where none does."""
    table = tables[number]
    shifts = 32 - table.window_bits - np.arange(8)
    before = sum(len(each.codes) for each in tables[:number])
    own = np.where(table.lookup < 0, -1, table.lookup + before)
    indices: list[int] = own[(_words(data)[:, None] >> shifts) & ((1 << table.window_bits) - 1)].reshape(-1).tolist()
    return indices


def _words(data: bytes) -> Counts:
    """Return the 32 bits that begin at each byte, zeros behind the last."""
    padded = np.frombuffer(data + b"\0\0\0", np.uint8).astype(np.int64)
    return padded[:-3] << 24 | padded[1:-2] << 16 | padded[2:-1] << 8 | padded[3:]


def _values(data: bytes, places: Counts, codes: list[Code], picked: Counts) -> Counts:
    """Return the numbers of the codes *picked* at the bits *places*: their own, or those in the bits behind them."""
    values = np.array([code.value for code in codes], np.int64)[picked]
    widths = np.array([code.bits - code.prefix_bits for code in codes], np.int64)[picked]
    first = places + np.array([code.prefix_bits for code in codes], np.int64)[picked]
    words = _words(data + b"\0")
    for width in np.unique(widths[widths > 0]):
        at = first[widths == width]
        low = words[np.minimum(at // 8 + 1, len(words) - 1)] & 0xFF  # the fifth byte, where 32 bits do not begin on a byte
        raw = ((words[at // 8] << 8 | low) >> (40 - width - at % 8)) & ((1 << width) - 1)
        values[widths == width] += np.where(raw >> (width - 1), raw - (1 << width), raw)
    return values
