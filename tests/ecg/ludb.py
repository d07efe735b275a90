"""The Lobachevsky database as tests see it: its records, and the beats and waves that cardiologists marked."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ecg.analysis import Analysis
from ecg.formats import read
from ecg.pipeline import analyse
from ecg.recording import Recording

NEEDS_DATA = "set TELEMED_TEST_DATA to the folder that holds ecg/ludb to measure on real recordings"
WITHIN_MS = 150


@dataclass(frozen=True)
class Marked:
    name: str
    recording: Recording
    r_peaks: list[int]  # of lead II


def data() -> Path:
    """Return the folder of ECGs, or skip the test saying which variable names it."""
    folder = os.environ.get("TELEMED_TEST_DATA")
    if not folder:
        pytest.skip(NEEDS_DATA)
    ecg = Path(folder) / "ecg"
    return ecg if ecg.is_dir() else Path(folder)


def annotations(path: Path) -> list[tuple[int, int]]:
    """Return (sample, code) of a WFDB annotation file in the MIT format."""
    words = np.frombuffer(path.read_bytes(), "<u2")
    found, at, place = [], 0, 0
    while place < words.size and words[place]:
        code, step = int(words[place]) >> 10, int(words[place]) & 0x3FF
        place += 1
        if code == 59:  # a long step follows in two words, the high one first
            at += (int(words[place]) << 16 | int(words[place + 1])) if place + 1 < words.size else 0
            place += 2
        elif code == 63:  # a text of so many bytes
            place += (step + 1) // 2
        elif code < 50:
            at += step
            found.append((at, code))
    return found


def records() -> list[Marked]:
    folder = data() / "ludb"
    headers = sorted(folder.glob("*.hea"), key=lambda path: int(path.stem))
    if not headers:
        pytest.skip(NEEDS_DATA)
    result = []
    for header in headers:
        signal = header.with_suffix(".dat")
        recording = read({header.name: header.read_bytes(), signal.name: signal.read_bytes()})
        beats = [at for at, code in annotations(header.with_suffix(".ii")) if code == 1]
        result.append(Marked(header.stem, recording, beats))
    return result


@cache
def analysed() -> list[tuple[Marked, Analysis]]:
    """Return every record with its analysis, made once for all tests."""
    return [(record, analyse(record.recording)) for record in records()]


def matched(marked: list[int], found: list[int], within: float) -> tuple[list[int], list[int]]:
    """Return the beats missed and the beats too many: one to one, in order, as EC57 compares."""
    missed, extra, i, j = [], [], 0, 0
    while i < len(marked) and j < len(found):
        if abs(found[j] - marked[i]) <= within:
            i, j = i + 1, j + 1
        elif found[j] < marked[i]:
            extra.append(found[j])
            j += 1
        else:
            missed.append(marked[i])
            i += 1
    return missed + marked[i:], extra + found[j:]
