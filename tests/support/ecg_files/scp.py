"""SCP-ECG records in every compression of the standard."""

import binascii
import struct
from collections.abc import Sequence

import numpy as np

CODES = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64}
STEP_NV, INTERVAL_US = 5000, 2000
FACTOR = 4

#: A file's own two tables, as (prefix, bits, is a value, value): escapes of 8 bits in the first, of 16 in the second.
OWN = (
    (("0", 1, 1, 0), ("10", 10, 1, 0), ("11", 2, 0, 2)),
    (("0", 17, 1, 0), ("1", 1, 0, 1)),
)


def crc(data: bytes) -> int:
    return binascii.crc_hqx(data, 0xFFFF)


def section(number: int, body: bytes) -> bytes:
    body += b"\0" * (len(body) % 2)
    content = struct.pack("<HIBB6s", number, len(body) + 16, 20, 20, b"SCPECG" if number == 0 else b"\0" * 6) + body
    return struct.pack("<H", crc(content)) + content


def record(sections: dict[int, bytes]) -> bytes:
    """Return the record of the sections' bodies, with pointers and checksums."""
    whole = {number: section(number, body) for number, body in sections.items()}
    at, pointers = 7 + 16 + 10 * 12, b""
    pointers += struct.pack("<HII", 0, 16 + 10 * 12, 7)
    for number in range(1, 12):
        content = whole.get(number, b"")
        pointers += struct.pack("<HII", number, len(content), at if content else 0)
        at += len(content)
    body = section(0, pointers) + b"".join(whole[number] for number in sorted(whole))
    head = struct.pack("<I", len(body) + 6)
    return struct.pack("<H", crc(head + body)) + head + body


def default_code(value: int) -> str:
    if value == 0:
        return "0"
    if abs(value) <= 8:
        return "1" * abs(value) + "0" + ("1" if value < 0 else "0")
    if -128 <= value < 128:
        return "1111111110" + f"{value & 0xFF:08b}"
    return "1111111111" + f"{value & 0xFFFF:016b}"


def own_codes(values: Sequence[int]) -> str:
    """Return the stream in the tables OWN, which switch for every number of more than 8 bits and back."""
    out = []
    for value in values:
        if value == 0:
            out.append("0")
        elif -128 <= value < 128:
            out.append("10" + f"{value & 0xFF:08b}")
        else:
            out.append("11" + "0" + f"{value & 0xFFFF:016b}" + "1")
    return "".join(out)


def own_tables() -> bytes:
    body = struct.pack("<H", len(OWN))
    for table in OWN:
        body += struct.pack("<H", len(table))
        for prefix, bits, is_value, value in table:
            body += struct.pack("<BBBhI", len(prefix), bits, is_value, value, int(prefix[::-1], 2))
    return body


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def stream(row: np.ndarray, huffman: str, differences: int) -> bytes:
    values = row.astype(np.int64)
    if differences == 1:
        values = np.concatenate([values[:1], np.diff(values)])
    elif differences == 2:
        values = np.concatenate([values[:2], np.diff(values, 2)])
    if not huffman:
        return values.astype("<i2").tobytes()
    coded = own_codes(values.tolist()) if huffman == "own" else "".join(map(default_code, values.tolist()))
    return packed(coded)


def block(
    rows: Sequence[np.ndarray], huffman: str, differences: int, *, interval_us: int = INTERVAL_US, bimodal: bool = False
) -> bytes:
    streams = [stream(row, huffman, differences) for row in rows]
    streams = [each + b"\0" * (len(each) % 2) for each in streams]
    head = struct.pack("<HHBB", STEP_NV, interval_us, differences, bimodal)
    return head + struct.pack(f"<{len(rows)}H", *map(len, streams)) + b"".join(streams)


def patient() -> bytes:
    tags = {
        0: b"WANG\0",
        1: b"Fang\0",
        2: b"P-7\0",
        5: struct.pack("<HBB", 1960, 1, 31),
        8: b"\2",
        25: struct.pack("<HBB", 2026, 3, 2),
        26: bytes([1, 30, 0]),
        27: struct.pack("<H", 5),
        28: struct.pack("<H", 150),
        29: b"\2",
    }
    return b"".join(struct.pack("<BH", tag, len(value)) + value for tag, value in tags.items()) + b"\xff\0\0"


def measurements() -> bytes:
    waves = struct.pack("<5H3h", 100, 204, 260, 352, 660, 51, 34, 40)
    return struct.pack("<BBHH", 1, 0, 800, 29999) + waves + struct.pack("<H", 0) + struct.pack("<3HB", 75, 29999, 425, 1)


def statements() -> bytes:
    text = b"Sinus rhythm\0"
    return struct.pack("<BHBBBBBBB", 0, 2026, 3, 2, 1, 30, 0, 1, 1)[:9] + struct.pack("<BH", 1, len(text)) + text


def written(
    rows: np.ndarray,
    leads: Sequence[str],
    *,
    huffman: str = "default",
    differences: int = 2,
    beat: np.ndarray | None = None,
    fiducials: Sequence[int] = (),
    bimodal: bool = False,
    flagged: bool = True,
) -> bytes:
    """Return a record of *rows* (whole steps); *beat* (leads, samples) is subtracted so that its middle lies on *fiducials*."""
    samples = rows.shape[1]
    subtract = beat is not None
    sections = {1: patient(), 7: measurements(), 8: statements()}
    if huffman:
        sections[2] = own_tables() if huffman == "own" else struct.pack("<H", 19999)
    sections[3] = struct.pack("<BB", len(leads), subtract | 0x04 | len(leads) << 3 & 0xF8)
    sections[3] += b"".join(struct.pack("<IIB", 1, samples, CODES[lead]) for lead in leads)
    residual, zones = rows.copy(), []
    if beat is not None:
        middle = beat.shape[1] // 2 + 1
        places = [(at - middle + 1, at, at - middle + beat.shape[1]) for at in fiducials]
        for start, _, end in places:
            residual[:, start - 1 : end] -= beat
        zones = [(at - 20, at + 21) for at in fiducials]
        sections[4] = struct.pack("<3H", beat.shape[1] * INTERVAL_US // 1000, middle, len(places))
        sections[4] += b"".join(struct.pack("<H3I", 0, *place) for place in places)
        sections[4] += b"".join(struct.pack("<2I", *zone) for zone in zones)
        sections[5] = block(list(beat), huffman, differences)
    stored = [thinned(row, zones) for row in residual] if bimodal else list(residual)
    sections[6] = block(
        stored, huffman, differences, interval_us=INTERVAL_US * (FACTOR if bimodal else 1), bimodal=bimodal and flagged
    )
    return record(sections)


def thinned(row: np.ndarray, zones: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return what bimodal compression keeps: zones whole, else the mean of each four and what is left over."""
    parts, at = [], 0
    for first, last in [*zones, (row.size + 1, row.size)]:
        run = row[at : first - 1]
        whole = run.size // FACTOR * FACTOR
        parts += [np.rint(run[:whole].reshape(-1, FACTOR).mean(axis=1)), run[whole:], row[first - 1 : last]]
        at = last
    return np.concatenate(parts).astype(np.int64)
