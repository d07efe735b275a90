"""PhysioNet WFDB records: a header (.hea) and the signal files it names, in the formats 8, 16, 24, 32, 61, 80 and 212.

A MATLAB v4 file (.mat, as the CinC challenges use) is format 16 or 32 behind 24 bytes, which its header says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, PatientTags, Recording, unique_names

Stored = NDArray[np.int64]

UNITS_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3, "nv": 1e-6}

#: The stored number that means "no sample here".
MISSING = {"8": None, "80": -128, "16": -32768, "61": -32768, "212": -2048, "24": -8388608, "32": -2147483648}

BYTES_PER_SAMPLE = {"8": 1.0, "80": 1.0, "16": 2.0, "61": 2.0, "212": 1.5, "24": 3.0, "32": 4.0}

_FORMAT = re.compile(r"^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$")
_GAIN = re.compile(r"^(-?[\d.]+(?:[eE][-+]?\d+)?)(?:\((-?\d+)\))?(?:/(\S+))?$")


@dataclass(frozen=True)
class Signal:
    """One signal line of a header."""

    file: str
    format: str
    offset: int
    gain: float | None
    baseline: int
    unit: str
    initial: int
    description: str


@dataclass(frozen=True)
class Header:
    """What a header says about the record."""

    rate: float | None
    samples: int | None
    started_at: datetime | None
    signals: tuple[Signal, ...]
    patient: PatientTags | None


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the record in *files*; names decide which signal file belongs to the header.

    `EcgError` when the header or a signal file is missing, a signal has no gain (the library's silent default of 200 is not
    taken), or a signal file is shorter than announced. Signals that are no voltage are left out with a note.
    """
    headers = [name for name in files if name.lower().endswith(".hea")]
    if len(headers) != 1:
        given = ", ".join(sorted(files))
        raise EcgError(
            f"A WFDB record is one .hea header with its signal files, {len(headers)} headers came ({given}); send them together."
        )
    header = parse_header(headers[0], files[headers[0]])
    rate = header.rate or declared.sampling_frequency_hz
    if not rate:
        raise EcgError(f"{headers[0]} names no sampling frequency; declare it.")
    stored = _signals(headers[0], header, {PurePath(name).name: data for name, data in files.items()})
    leads, rows, resolution, notes = [], [], [], []
    for signal, numbers in zip(header.signals, stored, strict=True):
        lead = lead_named(signal.description)
        unit = UNITS_MV.get(signal.unit.lower())
        if unit is None:
            notes.append(f"Signal {signal.description} is measured in {signal.unit} and was left out.")
            continue
        step = _step_mv(headers[0], signal, unit, declared)
        row = (numbers - signal.baseline) * step
        missing = MISSING[signal.format]
        if missing is not None:
            row[numbers == missing] = np.nan
        leads.append(lead)
        rows.append(row)
        resolution.append(abs(step))
    if not rows:
        raise EcgError(f"{headers[0]} holds no signal measured in volts; send an ECG.")
    return Recording(
        format="wfdb",
        leads=unique_names(leads),
        sampling_frequency_hz=rate,
        millivolts=np.stack(rows),
        resolution_mv=tuple(resolution),
        started_at=header.started_at,
        patient=header.patient,
        notes=tuple(notes),
    )


def _step_mv(name: str, signal: Signal, unit: float, declared: Declared) -> float:
    if signal.gain:
        return unit / signal.gain
    if declared.gain_uv_per_unit:
        return declared.gain_uv_per_unit / 1000
    raise EcgError(f"{name} carries no gain for signal {signal.description}; declare it in microvolts per unit.")


def parse_header(name: str, data: bytes) -> Header:
    """Return what the header file *name* says; `EcgError` names the line that cannot be read."""
    if len(data) > 1_000_000:
        raise EcgError(f"{name} is {len(data)} bytes long, which no WFDB header is; send the .hea file.")
    text = data.decode("utf-8", errors="replace")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    comments = [line[1:].strip() for _, line in lines if line.startswith("#")]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise EcgError(f"{name} has no record line; send the header as it was written.")
    record = lines[0][1].split()
    if "/" in record[0]:
        raise EcgError(f"{name} is a record of several segments, which is not read; send one segment.")
    try:
        count = int(record[1])
        rate = float(record[2].split("/")[0].split("(")[0]) if len(record) > 2 else None
        samples = int(record[3]) or None if len(record) > 3 else None
    except (IndexError, ValueError) as error:
        raise EcgError(
            f"{name} line {lines[0][0]} is no WFDB record line ({lines[0][1][:60]!r}); send the header as it was written."
        ) from error
    if not 1 <= count <= MAX_LEADS or len(lines) - 1 < count:
        raise EcgError(f"{name} announces {count} signals and describes {len(lines) - 1}; from 1 to {MAX_LEADS} are read.")
    signals = tuple(_signal(name, number, line) for number, line in lines[1 : count + 1])
    return Header(rate, samples, _moment(record[4:6]), signals, _patient(comments))


def _signal(name: str, number: int, line: str) -> Signal:
    fields = line.split(maxsplit=8)
    layout = _FORMAT.match(fields[1]) if len(fields) > 1 else None
    if layout is None or layout[1] not in MISSING:
        raise EcgError(
            f"{name} line {number} names no signal format that is read here ({line[:60]!r}); convert the record to format 16."
        )
    if layout[2] not in (None, "1") or layout[3] not in (None, "0"):
        raise EcgError(f"{name} line {number} uses several samples per frame or a skew, which is not read; convert the record.")
    gain = _GAIN.match(fields[2]) if len(fields) > 2 else None
    if len(fields) > 2 and gain is None:
        raise EcgError(f"{name} line {number} has the unreadable gain {fields[2][:20]!r}; declare it or correct the header.")
    zero = _integer(fields, 4)
    return Signal(
        file=fields[0],
        format=layout[1],
        offset=int(layout[4] or 0),
        gain=float(gain[1]) if gain else None,
        baseline=int(gain[2]) if gain and gain[2] else zero,
        unit=(gain[3] if gain else None) or "mV",
        initial=_integer(fields, 5) if len(fields) > 5 else zero,
        description=fields[8] if len(fields) > 8 else f"signal {number}",
    )


def _integer(fields: Sequence[str], place: int) -> int:
    try:
        return int(fields[place])
    except (IndexError, ValueError):
        return 0


def _moment(fields: Sequence[str]) -> datetime | None:
    """Return the base time; WFDB keeps no zone, so it is taken as UTC."""
    try:
        return datetime.strptime(" ".join(fields).split(".")[0], "%H:%M:%S %d/%m/%Y").replace(tzinfo=UTC)
    except ValueError:
        return None


_AGE = re.compile(r"<?age>?\s*[:=]\s*(\d{1,3})\b", re.IGNORECASE)
_SEX = re.compile(r"<?(?:sex|gender)>?\s*[:=]\s*([MF])", re.IGNORECASE)
_MITDB = re.compile(r"^(\d{1,3}) ([MF]) \d+ \d+ x\d")


def _patient(comments: Sequence[str]) -> PatientTags | None:
    """Return age and sex from the comments, in the spellings of LUDB, CinC, PTB and MIT-BIH."""
    text = "\n".join(comments)
    age, sex, old = _AGE.search(text), _SEX.search(text), next(filter(None, map(_MITDB.match, comments)), None)
    if not (age or sex or old):
        return None
    years = age[1] if age else old[1] if old else None
    return PatientTags(sex=(sex[1] if sex else old[2] if old else "").upper(), age_years=float(years) if years else None)


def _signals(name: str, header: Header, files: Mapping[str, bytes]) -> list[Stored]:
    """Return the stored numbers of every signal, in the header's order."""
    stored: list[Stored] = []
    for file in dict.fromkeys(signal.file for signal in header.signals):
        group = [signal for signal in header.signals if signal.file == file]
        data = files.get(PurePath(file).name)
        if data is None and len(files) == 2:
            data = next(content for other, content in files.items() if not other.lower().endswith(".hea"))
        if data is None:
            raise EcgError(f"{name} names the signal file {file}, which is not there; send both together.")
        if len({(signal.format, signal.offset) for signal in group}) > 1:
            raise EcgError(f"{name} gives the file {file} two formats; correct the header.")
        stored.extend(_deinterleaved(file, group, data[group[0].offset :], header.samples))
    order = [signal for file in dict.fromkeys(s.file for s in header.signals) for signal in header.signals if signal.file == file]
    lengths = {numbers.size for numbers in stored}
    if len(lengths) > 1:
        shortest = min(lengths)
        stored = [numbers[:shortest] for numbers in stored]
    by_signal = {id(signal): numbers for signal, numbers in zip(order, stored, strict=True)}
    return [by_signal[id(signal)] for signal in header.signals]


def _deinterleaved(file: str, group: Sequence[Signal], data: bytes, announced: int | None) -> list[Stored]:
    kind = group[0].format
    held = int(len(data) / BYTES_PER_SAMPLE[kind]) // len(group)
    if announced is not None and held < announced:
        raise EcgError(f"{file} is cut off: it holds {held} of {announced} samples; send the whole file.")
    samples = held if announced is None else announced
    if not samples or samples * len(group) > MAX_SAMPLES:
        raise EcgError(f"{file} holds {samples} samples of {len(group)} signals; between 1 and {MAX_SAMPLES} in all are read.")
    numbers = decode(kind, data, samples * len(group)).reshape(samples, len(group)).T
    if kind == "8":
        return [signal.initial + np.cumsum(row) for signal, row in zip(group, numbers, strict=True)]
    return list(numbers)


def decode(kind: str, data: bytes, count: int) -> Stored:
    """Return the first *count* numbers of *data* in the WFDB format *kind*; it must be long enough."""
    if kind == "212":
        triples = np.frombuffer(data + b"\0\0", np.uint8, (count + 1) // 2 * 3).reshape(-1, 3).astype(np.int64)
        pairs = np.empty((triples.shape[0], 2), np.int64)
        pairs[:, 0] = triples[:, 0] | ((triples[:, 1] & 0x0F) << 8)
        pairs[:, 1] = triples[:, 2] | ((triples[:, 1] & 0xF0) << 4)
        numbers = pairs.reshape(-1)[:count]
        return np.where(numbers > 2047, numbers - 4096, numbers)
    if kind == "24":
        cells = np.frombuffer(data, np.uint8, count * 3).reshape(-1, 3).astype(np.int64)
        numbers = cells[:, 0] | (cells[:, 1] << 8) | (cells[:, 2] << 16)
        return np.where(numbers >= 1 << 23, numbers - (1 << 24), numbers)
    cell = {"8": "i1", "80": "u1", "16": "<i2", "61": ">i2", "32": "<i4"}[kind]
    numbers = np.frombuffer(data, cell, count).astype(np.int64)
    return numbers - 128 if kind == "80" else numbers
