"""XLI, the compression of Philips Sierra XML: per lead a chunk of LZW (10-bit codes) over second differences.

The high bytes of all differences come first, then the low bytes.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError

CODE_BITS = 10
END = (1 << CODE_BITS) - 1
MAX_SAMPLES = 1_000_000  # of one lead: half an hour at 500 Hz; a hostile chunk stops here
_HEAD = 8


def decode(name: str, data: bytes, leads: int, samples: int) -> list[NDArray[np.int64]]:
    """Return *samples* numbers for each of *leads*; `EcgError` naming *name* when a chunk is missing, damaged or too short."""
    rows: list[NDArray[np.int64]] = []
    at = 0
    for lead in range(1, leads + 1):
        size = int.from_bytes(data[at : at + 4], "little")
        first = int.from_bytes(data[at + 6 : at + _HEAD], "little", signed=True)
        chunk = data[at + _HEAD : at + _HEAD + size]
        if at + _HEAD > len(data) or len(chunk) < size:
            raise EcgError(f"{name} is cut off in the samples of its lead {lead}; export it again.")
        packed = _expanded(chunk, 2 * MAX_SAMPLES)
        held = len(packed) // 2
        if held < max(samples, 3):
            raise EcgError(f"{name} holds {held} of {samples} samples of its lead {lead}; export it again.")
        high, low = np.frombuffer(packed, np.uint8, 2 * held).reshape(2, held).astype(np.uint16)
        rows.append(_summed((high << 8 | low).view(np.int16).astype(np.int64), first)[:samples])
        at += _HEAD + size
    return rows


def _expanded(chunk: bytes, limit: int) -> bytes:
    """Return at most *limit* bytes of the LZW stream *chunk*, most significant bit first; an impossible code ends it."""
    strings = [bytes([value]) for value in range(256)]
    out = bytearray()
    held = bits = 0
    previous = b""
    for byte in chunk:
        held, bits = held << 8 | byte, bits + 8
        if bits < CODE_BITS:
            continue
        bits -= CODE_BITS
        code, held = held >> bits, held & ((1 << bits) - 1)
        if code == END or (code > len(strings) or (code == len(strings) and not previous)):
            break
        current = strings[code] if code < len(strings) else previous + previous[:1]
        if previous and len(strings) < END:
            strings.append(previous + current[:1])
        out += current
        previous = current
        if len(out) >= limit:
            break
    return bytes(out[:limit])


def _summed(differences: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """Return the samples: the first two as they are, each further one 2y - x less the difference before it (biased by 64)."""
    start, step = int(differences[0]), int(differences[1] - differences[0])
    bends = -np.concatenate(([first], differences[2:-1] - 64))
    slopes = step + np.concatenate(([0], np.cumsum(bends)))
    return np.asarray(start + np.concatenate(([0], np.cumsum(slopes))), np.int64)
