"""Long recordings read piece by piece: WFDB of one segment, EDF and BDF, DICOM; every other form is read whole.

What is refused, how gains are found and what a number means is decided by the format's own module; here is only which bytes of
the file hold which samples.
"""

import os
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from io import BufferedReader, BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ecg.errors import EcgError
from ecg.formats import DAMAGE, Declared, edf, read, wfdb
from ecg.formats.wfdb.header import Header, parse_header
from ecg.formats.wfdb.signals import FORMATS
from ecg.leads import Lead
from ecg.recording import MAX_LEADS, Filters, Millivolts, PatientTags, Recording, unique_names

LARGE_BYTES = 1 << 20  # a DICOM value beyond this stays in the file
READ_WHOLE_BYTES = 512 << 20  # of a file that cannot be read piece by piece
PIECE_SAMPLES = 1 << 20  # over all leads


@dataclass(frozen=True)
class Source:
    """A recording on the disk. ``read(first, count)`` returns (leads, count) millivolts, NaN where a sample is missing.

    The rest is as in `Recording`.
    """

    format: str
    leads: tuple[Lead, ...]
    sampling_frequency_hz: float
    samples: int
    read: Callable[[int, int], Millivolts]
    resolution_mv: tuple[float, ...] | None = None
    started_at: datetime | None = None
    patient: PatientTags | None = None
    filters: tuple[Filters, ...] | None = None
    device: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    device_statements: tuple[str, ...] = ()
    equipment: str = ""
    institution: str = ""
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long it is, in seconds."""
        return self.samples / self.sampling_frequency_hz

    def recording(self, first: int, count: int) -> Recording:
        """Return a part as a recording of its own."""
        return Recording(
            self.format, self.leads, self.sampling_frequency_hz, self.read(first, count), self.resolution_mv, self.started_at,
            self.patient, self.filters, self.device, self.device_statements, self.equipment, self.institution, self.notes,
        )  # fmt: skip

    def pieces(self) -> Iterator[Millivolts]:
        """Yield all of it from front to back."""
        for first in range(0, self.samples, step := max(1, PIECE_SAMPLES // len(self.leads))):
            yield self.read(first, min(step, self.samples - first))


def opened(path: Path, *, declared: Declared | None = None, most_whole: int = READ_WHOLE_BYTES) -> Source:
    """Return the recording at *path*, a WFDB header or a file of its own, of at most *most_whole* bytes where it is read whole.

    `EcgError` when it cannot be read, as `ecg.formats.read` says it; `OSError` when the disk does not give it.
    """
    stated = declared or Declared()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a library's warning quotes the file, and so the patient
            return _piecewise(path, stated) or of_recording(read(_whole(path, most_whole), declared=stated))
    except EcgError:
        raise
    except OSError:
        raise
    except (*DAMAGE, struct.error) as error:
        raise EcgError(f"{path.name} is damaged: it is not readable; export it again.") from error


def of_recording(recording: Recording) -> Source:
    """Return a recording that is in memory as a source."""
    return Source(
        recording.format, recording.leads, recording.sampling_frequency_hz, recording.millivolts.shape[1],
        lambda first, count: recording.millivolts[:, first : first + count], recording.resolution_mv, recording.started_at,
        recording.patient, recording.filters, recording.device, recording.device_statements, recording.equipment,
        recording.institution, recording.notes,
    )  # fmt: skip


def _piecewise(path: Path, declared: Declared) -> Source | None:
    with path.open("rb") as file:
        head = file.read(132)
    if path.suffix.lower() == ".hea":
        return _wfdb(path, declared)
    if head[128:] == b"DICM":
        return _dicom(path, declared)
    if head[:8] in (b"0       ", b"\xffBIOSEMI"):
        return _edf(path)
    return None


def _whole(path: Path, most: int) -> dict[str, bytes]:
    def content(name: str) -> bytes | None:
        file = path.with_name(name)
        if not file.is_file():
            return None
        if file.stat().st_size > most:
            raise EcgError(f"{name} has more than {most >> 20} MB and cannot be read in pieces; send a part of it.")
        return file.read_bytes()

    if path.suffix.lower() == ".hea":
        return wfdb.collected(path.name, content)
    return {path.name: content(path.name) or b""}


def _wfdb(path: Path, declared: Declared) -> Source | None:
    """Return a record of one segment whose signals lie plainly in their files, else None."""
    header = parse_header(path.name, path.read_bytes())
    rate = header.rate or declared.sampling_frequency_hz
    plain = all(signal.format in FORMATS and signal.format != "8" and not signal.skew for signal in header.signals)
    files = list(dict.fromkeys(signal.file for signal in header.signals))
    if not rate or not header.signals or not plain or not all(path.with_name(Path(name).name).is_file() for name in files):
        return None  # read whole, it is joined from its segments, or refused with the reason
    held = min(_frames_held(path.with_name(Path(name).name), header, name) for name in files)
    if header.samples is not None and held < header.samples:
        raise EcgError(f"{path.name} announces {header.samples} samples and its files hold {held}; send the whole files.")
    frames = header.samples or held
    if not frames:
        return None
    near = replace(header, signals=tuple(replace(signal, offset=0) for signal in header.signals))

    def frames_of(first: int, count: int) -> wfdb.Piece:
        blocks, lead_in = {}, 0
        step = max(FORMATS[signal.format].group for signal in header.signals)
        step = 6 if step > 1 else 1  # a whole number of groups of two and of three
        begin = first - first % step
        lead_in = first - begin
        for name in files:
            own = [signal for signal in header.signals if signal.file == name]
            kind, in_frame = FORMATS[own[0].format], sum(signal.per_frame for signal in own)
            with path.with_name(Path(name).name).open("rb") as file:
                file.seek(own[0].offset + begin * in_frame // kind.group * kind.group_bytes)
                blocks[name] = file.read(kind.bytes_of((lead_in + count) * in_frame) + kind.group_bytes)
        piece = wfdb.piece_of(path.name, near, blocks, declared, frames=lead_in + count)
        return replace(piece, rows=tuple(row[lead_in * piece.per_frame :] for row in piece.rows))

    known = frames_of(0, 1)
    if not known.rows:
        raise EcgError(f"{path.name} holds no signal measured in volts; send an ECG.")

    def millivolts(first: int, count: int) -> Millivolts:
        begin, end = first // known.per_frame, -(-(first + count) // known.per_frame)
        whole = np.stack(frames_of(begin, end - begin).rows)
        skip = first - begin * known.per_frame
        return whole[:, skip : skip + count]

    return Source(
        "wfdb", unique_names(known.leads), rate * known.per_frame, frames * known.per_frame, millivolts, known.steps,
        header.started_at, header.patient, notes=known.notes,
    )  # fmt: skip


def _frames_held(file: Path, header: Header, name: str) -> int:
    own = [signal for signal in header.signals if signal.file == name]
    kind = FORMATS[own[0].format]
    held = max(0, file.stat().st_size - own[0].offset) * kind.group // kind.group_bytes
    return held // sum(signal.per_frame for signal in own)


def _edf(path: Path) -> Source | None:
    """Return an uninterrupted EDF or BDF file, else None."""
    size = path.stat().st_size
    with path.open("rb") as file:
        layout = edf.layout(path.name, file.read(256 * (edf.MAX_SIGNALS + 1)), size)
    if layout.discontinuous:
        return None
    steps = [edf.step_mv(path.name, signal) for signal in layout.chosen]

    def millivolts(first: int, count: int) -> Millivolts:
        begin, end = first // layout.per_record, -(-(first + count) // layout.per_record)
        with path.open("rb") as file:
            file.seek(layout.start + begin * layout.record_bytes)
            data = file.read((end - begin) * layout.record_bytes)
        cells = np.frombuffer(data, np.uint8).reshape(end - begin, -1, layout.width)
        rows = np.stack([edf.row(signal, step, cells) for signal, step in zip(layout.chosen, steps, strict=True)])
        return rows[:, first - begin * layout.per_record :][:, :count]

    return Source(
        layout.format, layout.leads, layout.rate, layout.records * layout.per_record, millivolts,
        tuple(map(abs, steps)), layout.started_at, layout.patient, layout.filters, notes=layout.notes,
    )  # fmt: skip


class _Sparse:
    """A file that leaves large values where they are: instead of their bytes it gives the place at which they begin."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file, self._size = file, size
        self.seek, self.tell, self.name = file.seek, file.tell, file.name

    def read(self, count: int = -1) -> bytes:
        """Return *count* bytes, or for a large value its place as 8 bytes."""
        at = self._file.tell()
        if not 0 <= count <= LARGE_BYTES:
            if count < 0 or at + count > self._size:
                raise EcgError("The file is cut off: its waveform is not whole; send it again.")
            self._file.seek(count, os.SEEK_CUR)
            return struct.pack("<Q", at)
        return self._file.read(count)


def _dicom(path: Path, declared: Declared) -> Source | None:
    """Return a DICOM object whose one large group holds leads without skew, else None."""
    import pydicom  # noqa: PLC0415 - only for this format
    from pydicom.uid import DeflatedExplicitVRLittleEndian  # noqa: PLC0415 - see above

    from ecg.formats.dicom import reading  # noqa: PLC0415 - see above

    size = path.stat().st_size
    if size <= 2 * LARGE_BYTES:
        return None
    with path.open("rb") as file:
        file.seek(128)
        meta = pydicom.filereader.read_partial(BytesIO(_head(path)), stop_when=lambda tag, _vr, _length: tag.group > 2)
        if meta.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            return None
        file.seek(0)
        dataset = pydicom.dcmread(_Sparse(file, size))
        groups = list(dataset.get("WaveformSequence") or [])
        little = reading.little_endian(dataset)
        large = [group for group in groups if len(group.get("WaveformData") or b"") == 8]
        if len(groups) != 1 or not large:
            return None
    group = groups[0]
    (data_at,) = struct.unpack("<Q", group.WaveformData)
    channels, samples, rate = (
        int(group.NumberOfWaveformChannels),
        int(group.NumberOfWaveformSamples),
        float(group.SamplingFrequency),
    )
    if not 1 <= channels <= MAX_LEADS or samples < 1:
        raise EcgError(f"{path.name} announces {channels} channels of {samples} samples; up to {MAX_LEADS} are read.")
    cell_bytes = int(group.get("WaveformBitsAllocated") or 16) // 8

    def channels_of(first: int, count: int, notes: list[str]) -> Sequence[reading.Channel]:
        with path.open("rb") as file:
            file.seek(data_at + first * channels * cell_bytes)
            group.WaveformData = file.read(count * channels * cell_bytes)
        group.NumberOfWaveformSamples = count
        return reading.channels_of(path.name, group, little=little, declared=declared, notes=notes)

    if data_at + samples * channels * cell_bytes > size:
        raise EcgError(f"{path.name} is cut off: {size - data_at} bytes of its waveform are there; send it again.")
    notes: list[str] = []
    known = channels_of(0, 1, notes)
    if not known or any(round((channel.delay_s - known[0].delay_s) * rate) for channel in known):
        return None
    return Source(
        "dicom", unique_names([channel.lead for channel in known]), rate, samples,
        lambda first, count: np.stack([channel.row for channel in channels_of(first, count, [])]),
        tuple(channel.step_mv for channel in known), reading.moment(dataset), reading.patient(dataset),
        tuple(channel.filters for channel in known), notes=tuple(notes), **reading.machine(dataset)._asdict(),
    )  # fmt: skip


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64 * 1024)
