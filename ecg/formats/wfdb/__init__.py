"""PhysioNet WFDB records: headers (.hea) and the signal files they name, in one piece or in segments.

A MATLAB v4 file (.mat, as the CinC challenges use) is format 16 or 32 behind 24 bytes, which its header says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from ecg.errors import EcgError
from ecg.formats import MAX_FILES, Declared
from ecg.formats.wfdb.header import NO_SEGMENT, Header, Signal, parse_header
from ecg.formats.wfdb.signals import FORMATS, Stored
from ecg.leads import Lead, lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, Millivolts, Recording, unique_names

UNITS_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3, "nv": 1e-6}


@dataclass(frozen=True)
class Piece:
    """The leads of one record in one piece; *per_frame* samples of each follow in a frame."""

    leads: tuple[Lead, ...]
    rows: tuple[Millivolts, ...]
    steps: tuple[float, ...]
    per_frame: int
    notes: tuple[str, ...]


def collected(name: str, read_file: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """Return the header *name* with every file it names, and those of its segments, as far as *read_file* finds them.

    Only plain names are asked for: a header cannot reach out of its folder. What cannot be parsed is left to `read`.
    """
    files: dict[str, bytes] = {}
    wanted = [name]
    while wanted and len(files) < MAX_FILES:
        name = PurePath(wanted.pop().replace("\\", "/")).name
        content = read_file(name) if name and name not in files else None
        if content is None:
            continue
        files[name] = content
        if name.lower().endswith(".hea"):
            with suppress(EcgError):
                wanted += parse_header(name, content).names
    return files


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the record in *files*; names decide which file belongs to which header.

    Of signals with several samples per frame those of the highest rate are taken. `EcgError` when a header, a segment or a
    signal file is missing, a signal has no gain (the library's silent default of 200 is not taken), or a signal file is
    shorter than announced. Signals that are no voltage are left out with a note.
    """
    plain = {PurePath(name.replace("\\", "/")).name: data for name, data in files.items()}
    headers = {name: parse_header(name, data) for name, data in plain.items() if name.lower().endswith(".hea")}
    name = _master(headers, sorted(plain))
    header = headers[name]
    rate = header.rate or declared.sampling_frequency_hz
    if not rate:
        raise EcgError(f"{name} names no sampling frequency; declare it.")
    piece = _joined(name, headers, plain, declared) if header.segments else piece_of(name, header, plain, declared)
    if not piece.rows:
        raise EcgError(f"{name} holds no signal measured in volts; send an ECG.")
    return Recording(
        format="wfdb",
        leads=unique_names(piece.leads),
        sampling_frequency_hz=rate * piece.per_frame,
        millivolts=np.stack(piece.rows),
        resolution_mv=piece.steps,
        started_at=header.started_at,
        patient=header.patient,
        notes=piece.notes,
    )


def _master(headers: Mapping[str, Header], given: Iterable[str]) -> str:
    """Return the name of the header that is no other's segment."""
    segments = {name for header in headers.values() for name in header.names}
    masters = [name for name in headers if name not in segments]
    if len(masters) != 1:
        raise EcgError(
            f"A WFDB record is one .hea header with its signal files, {len(masters)} headers came ({', '.join(given)}); "
            "send them together."
        )
    return masters[0]


def _joined(name: str, headers: Mapping[str, Header], files: Mapping[str, bytes], declared: Declared) -> Piece:
    """Return the segments one behind the other; a lead that is not in a segment is NaN there."""
    segments = headers[name].segments
    samples = sum(segment.samples for segment in segments)
    pieces: dict[str, Piece] = {}
    for segment in segments:
        if segment.record == NO_SEGMENT or not segment.samples or segment.record in pieces:
            continue  # the layout of a variable record has no samples
        own = headers.get(f"{segment.record}.hea")
        if own is None or own.segments:
            raise EcgError(f"{name} names the segment {segment.record}, whose header is not there; send all files together.")
        pieces[segment.record] = piece_of(f"{segment.record}.hea", own, files, declared, frames=segment.samples)
    leads = tuple(dict.fromkeys(lead for piece in pieces.values() for lead in piece.leads))
    rates = {piece.per_frame for piece in pieces.values() if piece.leads}
    if len(leads) > MAX_LEADS or samples * len(leads) * max(rates, default=1) > MAX_SAMPLES:
        raise EcgError(f"{name} holds {samples} samples of {len(leads)} leads; at most {MAX_SAMPLES} in all are read.")
    if len(rates) > 1:
        raise EcgError(f"{name} has segments of different rates; send them one by one.")
    per_frame = rates.pop() if rates else 1
    millivolts = np.full((len(leads), samples * per_frame), np.nan)
    steps = dict.fromkeys(leads, np.inf)
    at = 0
    for segment in segments:
        piece = pieces.get(segment.record)
        for lead, row, step in zip(piece.leads, piece.rows, piece.steps, strict=True) if piece else ():
            millivolts[leads.index(lead), at : at + row.size] = row
            steps[lead] = min(steps[lead], step)
        at += segment.samples * per_frame
    notes = tuple(dict.fromkeys(note for piece in pieces.values() for note in piece.notes))
    return Piece(leads, tuple(millivolts), tuple(steps.values()), per_frame, notes)


def piece_of(name: str, header: Header, files: Mapping[str, bytes], declared: Declared, *, frames: int | None = None) -> Piece:
    """Return what *files* hold of one segment: all, or the first *frames* without a look at the checksum."""
    stored = _signals(name, header, files, frames or header.samples)
    voltages = [signal for signal in header.signals if signal.unit.lower() in UNITS_MV and signal.file != NO_SEGMENT]
    per_frame = max((signal.per_frame for signal in voltages), default=1)
    leads, rows, steps, notes = [], [], [], []
    for signal, numbers in zip(header.signals, stored, strict=True):
        if signal not in voltages or signal.per_frame != per_frame:
            notes.append(f"Signal {signal.description} ({signal.unit}) is no voltage of the highest rate and was left out.")
            continue
        per_mv = _units_per_mv(name, signal, declared)
        row: Millivolts = np.asarray((numbers - signal.baseline) / per_mv, np.float64)  # a division, to the last bit as in WFDB
        missing = FORMATS[signal.format].missing
        if missing is not None:
            row[numbers == missing] = np.nan
        if signal.skew:
            shift = min(signal.skew * per_frame, row.size)
            row = np.concatenate([row[shift:], np.full(shift, np.nan)])
        if not frames and signal.checksum and (int(numbers.sum()) - signal.checksum) % 65536:
            notes.append(f"The samples of {signal.description} do not add up to the checksum of the header.")
        leads.append(lead_named(signal.description))
        rows.append(row)
        steps.append(abs(1 / per_mv))
    return Piece(tuple(leads), tuple(rows), tuple(steps), per_frame, tuple(notes))


def _units_per_mv(name: str, signal: Signal, declared: Declared) -> float:
    if signal.gain:
        return signal.gain / UNITS_MV[signal.unit.lower()]
    if declared.gain_uv_per_unit:
        return 1000 / declared.gain_uv_per_unit
    raise EcgError(f"{name} carries no gain for signal {signal.description}; declare it in microvolts per unit.")


def _signals(name: str, header: Header, files: Mapping[str, bytes], frames: int | None) -> list[Stored]:
    """Return the stored numbers of every signal, in the header's order."""
    stored: dict[int, Stored] = {}
    for file in dict.fromkeys(signal.file for signal in header.signals):
        group = [place for place, signal in enumerate(header.signals) if signal.file == file]
        if file == NO_SEGMENT:
            stored |= {place: np.empty(0, np.int64) for place in group}
            continue
        data = files.get(file)
        if data is None and len(files) == 2:
            data = next(content for other, content in files.items() if not other.lower().endswith(".hea"))
        if data is None:
            raise EcgError(f"{name} names the signal file {file}, which is not there; send both together.")
        signals = [header.signals[place] for place in group]
        if len({(signal.format, signal.offset) for signal in signals}) > 1:
            raise EcgError(f"{name} gives the file {file} two formats; correct the header.")
        stored |= dict(zip(group, _deinterleaved(file, signals, data[signals[0].offset :], frames), strict=True))
    shortest = min((numbers.size // signal.per_frame for signal, numbers in _paired(header, stored)), default=0)
    return [stored[place][: shortest * signal.per_frame] for place, signal in enumerate(header.signals)]


def _paired(header: Header, stored: Mapping[int, Stored]) -> list[tuple[Signal, Stored]]:
    return [(signal, stored[place]) for place, signal in enumerate(header.signals) if signal.file != NO_SEGMENT]


def _deinterleaved(file: str, group: Sequence[Signal], data: bytes, announced: int | None) -> list[Stored]:
    kind = FORMATS[group[0].format]
    in_frame = sum(signal.per_frame for signal in group)
    held = len(data) * kind.group // kind.group_bytes // in_frame
    if announced is not None and held < announced:
        raise EcgError(f"{file} is cut off: it holds {held} of {announced} samples; send the whole file.")
    frames = held if announced is None else announced
    if not frames or frames * in_frame > MAX_SAMPLES:
        raise EcgError(f"{file} holds {frames} samples of {len(group)} signals; between 1 and {MAX_SAMPLES} in all are read.")
    numbers = kind.decode(data, frames * in_frame).reshape(frames, in_frame)
    ends = np.cumsum([signal.per_frame for signal in group])
    rows = [numbers[:, end - signal.per_frame : end].reshape(-1) for signal, end in zip(group, ends, strict=True)]
    if group[0].format == "8":
        return [signal.initial + np.cumsum(row) for signal, row in zip(group, rows, strict=True)]
    return rows
