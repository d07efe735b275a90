"""MFER, EDF and BDF, Contec and MATLAB files."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from support.ecg_files.scp import CODES

RATE, STEP_UV = 500, 5.0


def tag(number: int, value: bytes) -> bytes:
    size = bytes([len(value)]) if len(value) < 128 else b"\x84" + len(value).to_bytes(4, "big")
    return bytes([number]) + size + value


def mfer(rows: np.ndarray, leads: Sequence[str], *, little: bool = True, gain: bool = True, blocks: int = 2) -> bytes:
    """Return a frame of *blocks* sequences; the samples must divide by it."""
    order = "<" if little else ">"
    block = rows.shape[1] // blocks
    head = tag(0x40, b"MFR Standard 12 leads ECG".ljust(32)) + tag(0x01, bytes([little]))
    head += tag(0x0B, struct.pack(f"{order}BbH", 0, 0, RATE))
    head += tag(0x0C, struct.pack(f"{order}BbH", 0, -6, int(STEP_UV))) if gain else b""
    head += tag(0x81, b"WANG^Fang\0") + tag(0x82, b"P-7\0") + tag(0x84, b"\2")
    head += tag(0x83, struct.pack(f"{order}BHHBB", 66, 0, 1960, 1, 31)) + tag(
        0x85, struct.pack(f"{order}H9B", 2026, 3, 2, 1, 30, 0, *[0] * 4)
    )
    head += (
        tag(0x04, struct.pack(f"{order}I", block)) + tag(0x06, struct.pack(f"{order}H", blocks)) + tag(0x05, bytes([len(leads)]))
    )
    for number, lead in enumerate(leads):
        inner = tag(0x09, struct.pack(f"{order}H", CODES[lead])) + tag(0x0A, b"\0")
        head += bytes([0x3F, number, len(inner)]) + inner
    cells = rows.reshape(len(leads), blocks, block).transpose(1, 0, 2)
    return head + tag(0x1E, cells.astype(f"{order}i2").tobytes()) + b"\x80"


def edf(
    rows: np.ndarray, leads: Sequence[str], *, width: int = 2, onsets: Sequence[float] | None = None, unit: str = "uV"
) -> bytes:
    """Return records of 100 samples; with *onsets* a discontinuous EDF+ whose records begin at those seconds."""
    per_record, stamp = 100, 20
    records = rows.shape[1] // per_record
    highest = 32767 if width == 2 else 99_999  # its range in microvolts must fit into 8 characters
    signals = [(lead, unit, per_record) for lead in leads] + ([("EDF Annotations", "", stamp)] if onsets is not None else [])
    reserved = "EDF+D" if onsets is not None else "EDF+C" if width == 2 else "BDF+C"
    version = b"0".ljust(8) if width == 2 else b"\xffBIOSEMI"
    head = f"{'P-7 F 31-JAN-1960 WANG_Fang':80}{'Startdate 02-MAR-2026 X X X':80}02.03.2601.30.00{256 * (len(signals) + 1):<8}"
    head += f"{reserved:44}{records:<8}{per_record / RATE:<8}{len(signals):<4}"
    top = highest * STEP_UV
    columns = (
        [f"{label:16}" for label, *_ in signals],
        [" " * 80 for _ in signals],
        [f"{each:8}" for _, each, _ in signals],
        [f"{-top - STEP_UV:<8g}"[:8] for _ in signals],
        [f"{top:<8g}"[:8] for _ in signals],
        [f"{-highest - 1:<8}" for _ in signals],
        [f"{highest:<8}" for _ in signals],
        [f"{'HP:0.05Hz LP:150Hz N:50Hz':80}" for _ in signals],
        [f"{samples:<8}" for *_, samples in signals],
        [" " * 32 for _ in signals],
    )
    body = b""
    for record in range(records):
        cells = rows[:, record * per_record : (record + 1) * per_record].astype("<i4")
        body += cells.reshape(-1, 1).view(np.uint8)[:, :width].tobytes()
        if onsets is not None:
            body += f"+{onsets[record]}\x14\x14\0".encode().ljust(stamp * width, b"\0")
    return version + (head + "".join("".join(column) for column in columns)).encode("latin-1") + body


def contec(rows: np.ndarray) -> bytes:
    """Return a file of eight rows: II, III, V1 to V6."""
    head = b"0000007\0" + b"\0\0" + b"2026-03-02 01:30:00\0" + b"\0\0" + b"WANG\0\0\0\0" + bytes([0, 66, 55])
    return head + (rows[:8].T + 2048).astype("<u2").tobytes() + bytes(37)


def matlab(rows: np.ndarray, *, compressed: bool = True) -> bytes:
    """Return the structure ECG of millivolts, as CPSC 2018 keeps it."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)

    def matrix(kind: int, dimensions: tuple[int, int], content: bytes, name: bytes = b"") -> bytes:
        flags = element(6, struct.pack("<II", kind, 0))
        return element(14, flags + element(5, struct.pack("<ii", *dimensions)) + element(1, name) + content)

    fields = matrix(4, (1, 6), element(16, b"Female")) + matrix(6, (1, 1), struct.pack("<HHB3x", 2, 1, 66))
    values = (rows * STEP_UV / 1000).T.astype("<f8").tobytes()
    fields += matrix(6, rows.shape, element(9, values))
    names = struct.pack("<HHI", 5, 4, 5) + element(1, b"sex\0\0age\0\0data\0")
    variable = matrix(2, (1, 1), names + fields, b"ECG")
    content = struct.pack("<II", 15, len(zlib.compress(variable))) + zlib.compress(variable) if compressed else variable
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + content
