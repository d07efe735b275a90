"""MATLAB 5 files with one structure ``ECG`` of ``data``, ``sex`` and ``age``, as the CPSC 2018 challenge keeps its records.

They carry neither gain nor rate: both must be declared. Rows are the standard twelve leads unless declared otherwise.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ecg.errors import EcgError
from ecg.formats import Declared
from ecg.leads import TWELVE, lead_named
from ecg.recording import MAX_LEADS, MAX_SAMPLES, PatientTags, Recording, unique_names

MAX_EXPANDED = 64 * 1024 * 1024
_HEAD = 128
_CELLS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCTURE = 2  # an array class
_SEX = {"Male": "M", "Female": "F"}

Element = tuple[int, bytes]


def read(files: Mapping[str, bytes], declared: Declared) -> Recording:
    """Return the record; `EcgError` when the file holds no such structure, or gain or rate are not declared."""
    name, data = next(iter(files.items()))
    order = "<" if data[126:128] == b"IM" else ">"
    fields = _structure(name, _expanded(name, data, order), order)
    if "data" not in fields:
        raise EcgError(f"{name} is a MATLAB file without the structure ECG; export the recording in another format.")
    samples = _matrix(fields["data"], order)
    if declared.gain_uv_per_unit is None:
        raise EcgError(f"{name} carries no gain; declare it in microvolts per unit.")
    if declared.sampling_frequency_hz is None:
        raise EcgError(f"{name} names no sampling frequency; declare it.")
    leads = declared.leads or tuple(lead.name for lead in TWELVE)
    if len(leads) != len(samples) or len(leads) > MAX_LEADS:
        raise EcgError(f"{name} holds {len(samples)} rows and {len(leads)} leads are named; declare one name for each row.")
    age = _matrix(fields["age"], order).reshape(-1) if "age" in fields else np.empty(0)
    return Recording(
        format="matlab",
        leads=unique_names([lead_named(lead) for lead in leads]),
        sampling_frequency_hz=declared.sampling_frequency_hz,
        millivolts=samples * (declared.gain_uv_per_unit / 1000),
        patient=PatientTags(
            sex=_SEX.get(_text(fields.get("sex", b""), order), ""),
            age_years=float(age[0]) if age.size and 0 <= age[0] < 150 else None,
        ),
    )


def _expanded(name: str, data: bytes, order: str) -> bytes:
    """Return the first variable of the file, never more than MAX_EXPANDED bytes of it."""
    kind, content = next(_elements(data, _HEAD, order), (0, b""))
    if kind == _COMPRESSED:
        try:
            opened = zlib.decompressobj()
            content = opened.decompress(content, MAX_EXPANDED)
        except zlib.error as error:
            raise EcgError(f"{name} is damaged: it cannot be expanded ({error}); send it again.") from error
        if opened.unconsumed_tail:
            raise EcgError(f"{name} expands to more than {MAX_EXPANDED // 2**20} MB; send a part of it.")
        kind, content = next(_elements(content, 0, order), (0, b""))
    return content if kind == _MATRIX else b""


def _elements(data: bytes, at: int, order: str) -> Iterator[Element]:
    """Yield (type, content) of the data elements from *at* on; short ones keep their content in the tag."""
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            yield kind, data[at + 4 : at + 4 + min(size, 4)]
            at += 8
        else:
            yield kind, data[at + 8 : at + 8 + size]
            at += 8 + size + (-size % 8 if kind != _COMPRESSED else 0)


def _structure(name: str, matrix: bytes, order: str) -> dict[str, bytes]:
    """Return the fields of the structure *matrix* is, as matrices; empty when it is something else."""
    parts = _elements(matrix, 0, order)
    flags, _dimensions, _name, width, names = (next(parts, (0, b""))[1] for _ in range(5))
    if not flags or struct.unpack_from(f"{order}I", flags)[0] & 0xFF != _STRUCTURE or len(width) < 4:
        return {}
    step = struct.unpack_from(f"{order}i", width)[0]
    if not 1 <= step <= 256 or len(names) > 4096:
        raise EcgError(f"{name} has a structure whose field names cannot be read; export it again.")
    labels = [names[at : at + step].partition(b"\0")[0].decode("ascii", "replace") for at in range(0, len(names), step)]
    return dict(zip(labels, (content for _, content in parts), strict=False))


def _matrix(matrix: bytes, order: str) -> NDArray[np.float64]:
    """Return a real matrix as (rows, columns)."""
    _flags, (_, dimensions), _name, (kind, cells) = [*_elements(matrix, 0, order)][:4]
    rows, columns = struct.unpack_from(f"{order}ii", dimensions)
    if rows < 1 or columns < 1 or rows * columns > MAX_SAMPLES:
        raise EcgError(f"The file holds a matrix of {rows} by {columns}; at most {MAX_SAMPLES} samples in all are read.")
    numbers = np.frombuffer(cells, np.dtype(_CELLS[kind]).newbyteorder("<" if order == "<" else ">"), rows * columns)
    return numbers.astype(np.float64).reshape(columns, rows).T


def _text(matrix: bytes, order: str) -> str:
    parts = [*_elements(matrix, 0, order)]
    return parts[3][1].decode("utf-8", "replace").replace("\0", "") if len(parts) > 3 else ""
