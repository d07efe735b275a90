"""WFDB headers: the record line, one line for each signal or segment, and what the comments say of the patient."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ecg.errors import EcgError
from ecg.formats.wfdb.signals import FORMATS
from ecg.recording import MAX_LEADS, MAX_SAMPLES, UNSTATED_ZONE, PatientTags

MAX_SEGMENTS = 10_000
MAX_PER_FRAME = 1000
NO_SEGMENT = "~"  # a gap

_FORMAT = re.compile(r"^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$")
_GAIN = re.compile(r"^(-?[\d.]+(?:[eE][-+]?\d+)?)(?:\((-?\d+)\))?(?:/(\S+))?$")


@dataclass(frozen=True)
class Signal:
    """One signal line: where its numbers are and what they mean; *skew* is in frames."""

    file: str
    format: str
    per_frame: int
    skew: int
    offset: int
    gain: float | None
    baseline: int
    unit: str
    initial: int
    checksum: int | None
    description: str


@dataclass(frozen=True)
class Segment:
    """One segment line: the record it names (or a gap) and how many samples it has."""

    record: str
    samples: int


@dataclass(frozen=True)
class Header:
    """What a header says about the record: it has signals, or segments that have them."""

    rate: float | None
    samples: int | None
    started_at: datetime | None
    signals: tuple[Signal, ...]
    segments: tuple[Segment, ...]
    patient: PatientTags | None

    @property
    def names(self) -> tuple[str, ...]:
        """The files that belong to it: signal files, and the headers of its segments."""
        records = (f"{each.record}.hea" for each in self.segments if each.record != NO_SEGMENT)
        return tuple(dict.fromkeys([*(signal.file for signal in self.signals if signal.file != NO_SEGMENT), *records]))


def parse_header(name: str, data: bytes) -> Header:
    """Return what the header file *name* says; `EcgError` names the line that cannot be read."""
    if len(data) > 1_000_000:
        raise EcgError(f"{name} is {len(data)} bytes long, which no WFDB header is; send the .hea file.")
    lines = [(number, line.strip()) for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), 1)]
    comments = [line[1:].strip() for _, line in lines if line.startswith("#")]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise EcgError(f"{name} has no record line; send the header as it was written.")
    (place, first), rest = lines[0], lines[1:]
    record = first.split()
    try:
        segments = int(record[0].partition("/")[2] or 0)
        count = int(record[1])
        rate = float(record[2].split("/")[0].split("(")[0]) if len(record) > 2 else None
        samples = int(record[3]) or None if len(record) > 3 else None
    except (IndexError, ValueError) as error:
        raise EcgError(
            f"{name} line {place} is no WFDB record line ({first[:60]!r}); send the header as it was written."
        ) from error
    if rate is not None and not 0 < rate < 1e9:
        raise EcgError(f"{name} line {place} names the sampling frequency {record[2][:20]!r}; correct the header.")
    if segments:
        return Header(rate, samples, _moment(record[4:6]), (), _segments(name, rest, segments), _patient(comments))
    if not 0 <= count <= MAX_LEADS or len(rest) < count:
        raise EcgError(f"{name} announces {count} signals and describes {len(rest)}; from 1 to {MAX_LEADS} are read.")
    signals = tuple(_signal(name, number, line) for number, line in rest[:count])
    return Header(rate, samples, _moment(record[4:6]), signals, (), _patient(comments))


def _segments(name: str, lines: Sequence[tuple[int, str]], count: int) -> tuple[Segment, ...]:
    if not 1 <= count <= MAX_SEGMENTS or len(lines) < count:
        raise EcgError(f"{name} announces {count} segments and names {len(lines)}; from 1 to {MAX_SEGMENTS} are read.")
    found = []
    for number, line in lines[:count]:
        record, _, samples = line.partition(" ")
        if not samples.strip().isdigit() or int(samples) > MAX_SAMPLES:
            raise EcgError(f"{name} line {number} is no segment ({line[:60]!r}); send the header as it was written.")
        found.append(Segment(record, int(samples)))
    return tuple(found)


def _signal(name: str, number: int, line: str) -> Signal:
    fields = line.split(maxsplit=8)
    layout = _FORMAT.match(fields[1]) if len(fields) > 1 else None
    if layout is None or (layout[1] not in FORMATS and fields[0] != NO_SEGMENT):
        raise EcgError(
            f"{name} line {number} names no signal format that is read here ({line[:60]!r}); convert the record to format 16."
        )
    per_frame, skew, offset = (int(layout[place] or default) for place, default in ((2, 1), (3, 0), (4, 0)))
    if not 1 <= per_frame <= MAX_PER_FRAME or max(skew, offset) > MAX_SAMPLES:
        raise EcgError(f"{name} line {number} places its samples where none can be ({line[:60]!r}); correct the header.")
    gain = _GAIN.match(fields[2]) if len(fields) > 2 else None
    if len(fields) > 2 and gain is None:
        raise EcgError(f"{name} line {number} has the unreadable gain {fields[2][:20]!r}; declare it or correct the header.")
    zero, initial, checksum = _integer(fields, 4), _integer(fields, 5), _integer(fields, 6)
    return Signal(
        file=fields[0],
        format=layout[1],
        per_frame=per_frame,
        skew=skew,
        offset=offset,
        gain=float(gain[1]) if gain else None,
        baseline=int(gain[2]) if gain and gain[2] else zero or 0,
        unit=(gain[3] if gain else None) or "mV",
        initial=initial if initial is not None else zero or 0,
        checksum=checksum,
        description=fields[8] if len(fields) > 8 else f"signal {number}",
    )


def _integer(fields: Sequence[str], place: int) -> int | None:
    try:
        return int(fields[place][:20])
    except (IndexError, ValueError):
        return None


def _moment(fields: Sequence[str]) -> datetime | None:
    """Return the base time; WFDB keeps no zone, so it is taken as `UNSTATED_ZONE`."""
    text = " ".join(fields)
    for pattern in ("%H:%M:%S.%f %d/%m/%Y", "%H:%M:%S %d/%m/%Y"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UNSTATED_ZONE).astimezone(UTC)
        except ValueError:
            continue
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
