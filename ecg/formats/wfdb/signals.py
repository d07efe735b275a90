"""WFDB signal files: how each storage format keeps its numbers (WFDB Applications Guide, "signal(5)")."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Stored = NDArray[np.int64]


@dataclass(frozen=True)
class Format:
    """One storage format: *group* numbers in *group_bytes*, the number that means "no sample here", how they are unpacked."""

    group: int
    group_bytes: int
    missing: int | None
    unpacked: Callable[[NDArray[np.uint8]], Stored]

    def bytes_of(self, count: int) -> int:
        """Return how many bytes hold *count* numbers; the last group may be cut behind its last number."""
        whole, rest = divmod(count, self.group)
        return whole * self.group_bytes + -(-rest * self.group_bytes // self.group)

    def decode(self, data: bytes, count: int) -> Stored:
        """Return the first *count* numbers of *data*, which must be long enough."""
        groups = -(-count // self.group)
        padded = data[: groups * self.group_bytes].ljust(groups * self.group_bytes, b"\0")
        return self.unpacked(np.frombuffer(padded, np.uint8).reshape(groups, self.group_bytes)).reshape(-1)[:count]


def _cells(kind: str, zero: int = 0) -> Callable[[NDArray[np.uint8]], Stored]:
    return lambda groups: np.frombuffer(groups.tobytes(), kind).astype(np.int64) - zero


def _signed(numbers: Stored, bits: int) -> Stored:
    return np.where(numbers >> (bits - 1), numbers - (1 << bits), numbers)


def _format_24(groups: NDArray[np.uint8]) -> Stored:
    cells = groups.astype(np.int64)
    return _signed(cells[:, 0] | cells[:, 1] << 8 | cells[:, 2] << 16, 24)


def _format_212(groups: NDArray[np.uint8]) -> Stored:
    cells = groups.astype(np.int64)
    pairs = (cells[:, 0] | (cells[:, 1] & 0x0F) << 8, cells[:, 2] | (cells[:, 1] & 0xF0) << 4)
    return _signed(np.stack(pairs, axis=1), 12)


def _format_310(groups: NDArray[np.uint8]) -> Stored:
    first, second = np.frombuffer(groups.tobytes(), "<u2").reshape(-1, 2).T.astype(np.int64)
    triples = (first >> 1 & 0x3FF, second >> 1 & 0x3FF, first >> 11 | second >> 11 << 5)
    return _signed(np.stack(triples, axis=1), 10)


def _format_311(groups: NDArray[np.uint8]) -> Stored:
    words = np.frombuffer(groups.tobytes(), "<u4").astype(np.int64)
    return _signed(np.stack([words >> shift & 0x3FF for shift in (0, 10, 20)], axis=1), 10)


#: Format 8 holds first differences, which the reader sums.
FORMATS = {
    "8": Format(1, 1, None, _cells("i1")),
    "16": Format(1, 2, -32768, _cells("<i2")),
    "24": Format(1, 3, -8388608, _format_24),
    "32": Format(1, 4, -2147483648, _cells("<i4")),
    "61": Format(1, 2, -32768, _cells(">i2")),
    "80": Format(1, 1, -128, _cells("u1", 128)),
    "160": Format(1, 2, -32768, _cells("<u2", 32768)),
    "212": Format(2, 3, -2048, _format_212),
    "310": Format(3, 4, -512, _format_310),
    "311": Format(3, 4, -512, _format_311),
}
