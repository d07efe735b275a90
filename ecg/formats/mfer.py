"""MFER (ISO 22077-1): tags, lengths and values; block after block of samples, one channel behind the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import Lead, lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, UNSTATED_ZONE, Millivolts, PatientTags, Recording, unique_names

#: Data type (tag 0A) -> cell; type 9, the AHA's 8-bit differences, is not read.
CELLS = {0: "i2", 1: "u2", 2: "i4", 3: "u1", 4: "u2", 5: "i1", 6: "u4", 7: "f4", 8: "f8"}
STATUS = 4  # the data type of bit flags, which are no voltage
MAX_CHANNELS = 128
CODECS = {"UTF-16LE": "utf-16-le", "UTF-8": "utf-8", "SHIFT_JIS": "shift_jis", "GB18030": "gb18030"}

_BYTE_ORDER, _CHARACTERS, _BLOCK, _CHANNELS, _SEQUENCES, _INTERVAL = 0x01, 0x03, 0x04, 0x05, 0x06, 0x0B
_LEAD, _TYPE, _STEP, _OFFSET, _COMPRESSION, _NULL, _DATA, _CHANNEL, _END = 0x09, 0x0A, 0x0C, 0x0D, 0x0E, 0x12, 0x1E, 0x3F, 0x80
_NAME, _PATIENT_ID, _AGE, _SEX, _TIME = 0x81, 0x82, 0x83, 0x84, 0x85
_VOLT, _HERTZ, _SECOND = 0, 0, 1


@dataclass(frozen=True)
class Channel:
    """One channel as its tags describe it; *step_mv* is None where it is no voltage."""

    lead: Lead
    cell: np.dtype[np.generic]
    block: int
    rate: float
    step_mv: float | None
    offset: float
    null: float | None


@dataclass
class _Frame:
    """What the tags before the samples said; a channel's own tags stand above those of the root."""

    order: str = ">"
    codec: str = "ascii"
    root: dict[int, bytes] = field(default_factory=dict)
    channels: list[dict[int, bytes]] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    data: bytes = b""

    def integer(self, value: bytes, *, signed: bool = False) -> int:
        return int.from_bytes(value, "little" if self.order == "<" else "big", signed=signed)

    def scaled(self, value: bytes) -> tuple[int, float]:
        """Return the unit and the value of a (unit, exponent of ten, mantissa) triple."""
        exponent = int.from_bytes(value[1:2], "big", signed=True)
        return value[0], self.integer(value[2:], signed=True) * 10.0**exponent


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the voltages of the fastest rate; other channels are left out with a note.

    `EcgError` when it is cut off, compressed, or names no gain or no rate.
    """
    name, data = next(iter(files.items()))
    frame = _frame(name, data)
    channels = [_channel(name, frame, number, own, declared) for number, own in enumerate(frame.channels)]
    voltages = [channel for channel in channels if channel.step_mv is not None]
    if not voltages:
        raise EcgError(f"{name} holds no channel measured in volts; send an ECG.")
    rate = max(channel.rate for channel in voltages)
    rows = _rows(name, frame, channels)
    kept = [place for place, channel in enumerate(channels) if channel.step_mv is not None and channel.rate == rate]
    if len(kept) > MAX_LEADS or len({rows[place].size for place in kept}) != 1:
        raise EcgError(f"{name} holds {len(kept)} leads of different lengths; export it again.")
    return Recording(
        format="mfer",
        leads=unique_names([channels[place].lead for place in kept]),
        sampling_frequency_hz=rate,
        millivolts=np.stack([_millivolts(channels[place], rows[place]) for place in kept]),
        resolution_mv=tuple(abs(channels[place].step_mv or 0.0) for place in kept),
        started_at=_started_at(frame),
        patient=_patient(frame),
        notes=tuple(
            f"Channel {channel.lead.name} is no voltage of {rate:g} Hz and was left out."
            for place, channel in enumerate(channels)
            if place not in kept
        ),
    )


def _frame(name: str, data: bytes) -> _Frame:
    """Return the first frame: what stands before the first samples, and those."""
    frame = _Frame()
    for tag, channel, value in _tags(name, data):
        if tag == _DATA:
            frame.data = value
            break
        _note(name, frame, tag, channel, value)
    if not frame.data or not frame.channels:
        raise EcgError(f"{name} holds no samples; export it again.")
    return frame


def _note(name: str, frame: _Frame, tag: int, channel: int, value: bytes) -> None:
    """Keep what one tag says."""
    if tag == _CHANNEL:
        if channel >= len(frame.channels):
            raise EcgError(f"{name} describes its channel {channel} and announces {len(frame.channels)}; export it again.")
        frame.channels[channel] |= {inner: content for inner, _, content in _tags(name, value)}
    elif tag == _BYTE_ORDER:
        frame.order = "<" if value[:1] == b"\1" else ">"
    elif tag == _CHARACTERS:
        frame.codec = CODECS.get(value.decode("ascii", "replace").strip("\0 ").upper(), "latin-1")
    elif tag == _CHANNELS:
        count = frame.integer(value)
        if not 1 <= count <= MAX_CHANNELS:
            raise EcgError(f"{name} announces {count} channels; from 1 to {MAX_CHANNELS} are read.")
        frame.channels = [{} for _ in range(count)]
    elif tag in {_NAME, _PATIENT_ID}:
        frame.texts[tag] = value.decode(frame.codec, "replace").partition("\0")[0].strip()
    else:
        frame.root[tag] = value


def _tags(name: str, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (tag, number of the channel for tag 3F, value)."""
    at = 0
    while at < len(data) and data[at] != _END:
        tag, at = data[at], at + 1
        if tag == 0:
            continue
        channel = data[at] if tag == _CHANNEL else 0
        at += tag == _CHANNEL
        length, at = data[at], at + 1
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        value = data[at : at + length]
        if len(value) < length:
            raise EcgError(f"{name} is cut off in its tag {tag:02X}: {len(value)} of {length} bytes are there; send it again.")
        yield tag, channel, value
        at += length


def _channel(name: str, frame: _Frame, number: int, own: dict[int, bytes], declared: Declared) -> Channel:
    tags = frame.root | own
    kind = frame.integer(tags.get(_TYPE, b""))
    if kind not in CELLS or frame.integer(tags.get(_COMPRESSION, b"")[:2]):
        raise EcgError(f"{name} keeps its channel {number + 1} compressed or as type {kind}, which is not read; export it plain.")
    rate = declared.sampling_frequency_hz or 0.0
    if _INTERVAL in tags:
        unit, interval = frame.scaled(tags[_INTERVAL])
        rate = {_HERTZ: interval, _SECOND: 1 / interval if interval > 0 else 0.0}.get(unit, 0.0)
    if not rate > 0:
        raise EcgError(f"{name} names no sampling frequency for its channel {number + 1}; declare it.")
    step = declared.gain_uv_per_unit / 1000 if declared.gain_uv_per_unit else None
    if _STEP in tags:
        unit, size = frame.scaled(tags[_STEP])
        step = size * 1000 if unit == _VOLT and size else None
    elif step is None and kind != STATUS:
        raise EcgError(f"{name} carries no gain for its channel {number + 1}; declare it in microvolts per unit.")
    cell = np.dtype(CELLS[kind]).newbyteorder("<" if frame.order == "<" else ">")
    return Channel(
        lead=_lead(frame.integer(tags.get(_LEAD, b"")[:2]), number),
        cell=cell,
        block=frame.integer(tags.get(_BLOCK, b"\1")),
        rate=round(rate, 6),
        step_mv=step if kind != STATUS else None,
        offset=float(_number(tags[_OFFSET], cell)) if _OFFSET in tags else 0.0,
        null=float(_number(tags[_NULL], cell)) if _NULL in tags else None,
    )


def _number(value: bytes, cell: np.dtype[np.generic]) -> float:
    return float(np.frombuffer(value, cell, 1)[0]) if len(value) >= cell.itemsize else 0.0


def _lead(code: int, number: int) -> Lead:
    """Return the lead of an MFER waveform code: those of the ECG are SCP-ECG's."""
    known = lead_named(f"2:{code}")
    return known if known.number else Lead(f"code {code}" if code else f"channel {number + 1}")


def _rows(name: str, frame: _Frame, channels: list[Channel]) -> list[NDArray[np.float64]]:
    """Return the stored numbers of every channel: in each sequence stands one block of each."""
    sizes = [channel.block * channel.cell.itemsize for channel in channels]
    sequences = frame.integer(frame.root.get(_SEQUENCES, b"\1"))
    total = sum(sizes) * sequences
    if not 0 < total <= len(frame.data) or max(channel.block for channel in channels) * sequences > MAX_SAMPLES:
        raise EcgError(f"{name} announces {total} bytes of samples and holds {len(frame.data)}; send it again.")
    cells = np.frombuffer(frame.data, np.uint8, total).reshape(sequences, sum(sizes))
    ends = np.cumsum(sizes)
    return [
        np.ascontiguousarray(cells[:, end - size : end]).view(channel.cell).reshape(-1).astype(np.float64)
        for channel, size, end in zip(channels, sizes, ends, strict=True)
    ]


def _millivolts(channel: Channel, stored: NDArray[np.float64]) -> Millivolts:
    row = (stored - channel.offset) * (channel.step_mv or 0.0)
    if channel.null is not None:
        row[stored == channel.null] = np.nan
    return row


def _started_at(frame: _Frame) -> datetime | None:
    """Return the time of measurement; MFER keeps no zone, so it is taken as `UNSTATED_ZONE`."""
    value = frame.root.get(_TIME, b"")
    try:
        day = date(frame.integer(value[:2]), value[2], value[3])
        return datetime.combine(day, time(value[4], value[5], value[6]), UNSTATED_ZONE).astimezone(UTC)
    except (IndexError, ValueError):
        return None


def _patient(frame: _Frame) -> PatientTags | None:
    age, sex = frame.root.get(_AGE, b""), frame.root.get(_SEX, b"")
    try:
        birth_date = date(frame.integer(age[3:5]), age[5], age[6])
    except (IndexError, ValueError):
        birth_date = None
    tags = PatientTags(
        patient_id=frame.texts.get(_PATIENT_ID, ""),
        name=frame.texts.get(_NAME, ""),
        sex={b"\1": "M", b"\2": "F"}.get(sex[:1], ""),
        birth_date=birth_date,
        age_years=float(age[0]) if age and age[0] not in {0, 0xFF} else None,
    )
    return tags if tags != PatientTags() else None
