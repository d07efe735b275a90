"""Files in, a `Recording` out: the content decides the format, names only help where a format has several files.

A format is one row of `READERS` and one module with ``read(files, declared) -> Recording``, loaded when it is first needed.
No reader guesses a gain: a file that carries none is refused unless the sender declares it.
"""

import importlib
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from ecg.errors import EcgError
from ecg.formats import markup
from ecg.recording import Recording

MAX_BYTES = 512 * 1024 * 1024  # of all files of one recording together
MAX_FILES = 1000  # a WFDB record of many segments
_DICOM_PREAMBLE = 128


@dataclass(frozen=True)
class Declared:
    """What the sender states beside the file, for formats that do not carry it themselves.

    ``gain_uv_per_unit``: microvolts of one unit of the stored numbers (1 for microvolts, 1000 for millivolts).
    """

    gain_uv_per_unit: float | None = None
    sampling_frequency_hz: float | None = None
    leads: tuple[str, ...] | None = None


class FormatReader(Protocol):
    """What a module of a format offers."""

    def read(self, files: Mapping[str, bytes], declared: Declared) -> Recording:
        """Return the recording in *files* (name -> content); `EcgError` when it cannot be read."""


@dataclass(frozen=True)
class Reader:
    """One format: its name in the analysis, how its files are known, the module that reads them."""

    format: str
    recognises: Callable[[Mapping[str, bytes]], bool]
    module: str


def _is_dicom(files: Mapping[str, bytes]) -> bool:
    return any(data[_DICOM_PREAMBLE : _DICOM_PREAMBLE + 4] == b"DICM" for data in files.values())


def _is_wfdb(files: Mapping[str, bytes]) -> bool:
    return any(name.lower().endswith((".hea", ".dat", ".mat")) for name in files)


def _is_xml(root: str) -> Callable[[Mapping[str, bytes]], bool]:
    return lambda files: len(files) == 1 and markup.root_name(_first(files)) == root


def _starts(pattern: bytes) -> Callable[[Mapping[str, bytes]], bool]:
    head = re.compile(pattern, re.DOTALL)
    return lambda files: len(files) == 1 and head.match(_first(files)) is not None


def _is_text_table(files: Mapping[str, bytes]) -> bool:
    head = _first(files)[:4096]
    readable = b"\0" not in head and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{"))
    return len(files) == 1 and readable and any(mark in head for mark in (b",", b";", b"\t"))


def _first(files: Mapping[str, bytes]) -> bytes:
    return next(iter(files.values()))


#: The most certain first.
READERS = (
    Reader("dicom", _is_dicom, "ecg.formats.dicom"),
    Reader("scp-ecg", _starts(rb".{16}SCPECG|.{6}..\0\0.{4}[\x0a-\x1f][\x0a-\x1f]"), "ecg.formats.scp_ecg"),
    Reader("aecg", _is_xml("AnnotatedECG"), "ecg.formats.aecg"),
    Reader("muse", _is_xml("RestingECG"), "ecg.formats.muse"),
    Reader("sierra", _is_xml("restingecgdata"), "ecg.formats.sierra"),
    Reader("edf", _starts(rb"0 {7}|\xffBIOSEMI"), "ecg.formats.edf"),
    Reader("mfer", _starts(rb"[\x40@].MFR "), "ecg.formats.mfer"),
    Reader("contec", _starts(rb".{10}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\0"), "ecg.formats.contec"),
    Reader("matlab", _starts(rb"MATLAB 5\.0 MAT-file"), "ecg.formats.matlab"),
    Reader("wfdb", _is_wfdb, "ecg.formats.wfdb"),
    Reader("csv", _is_text_table, "ecg.formats.csv"),
)

#: What a reader may stumble over in a damaged file, beside what it looks for itself.
DAMAGE = (ArithmeticError, AttributeError, LookupError, NotImplementedError, OSError, RecursionError, TypeError, ValueError)


def read(files: Mapping[str, bytes], *, declared: Declared | None = None) -> Recording:
    """Return the recording kept in *files* (file name -> content).

    A WFDB record is its header and its signal files together. `EcgError` when it is empty, of no known format, broken, over
    the limits, or carries no gain.
    """
    if not files or not any(files.values()):
        raise EcgError(f"{_named(files)} is empty; send the file as the machine wrote it.")
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise EcgError(f"The recording is larger than {MAX_FILES} files or {MAX_BYTES // 2**20} MB; send a part of it.")
    reader = next((each for each in READERS if each.recognises(files)), None)
    if reader is None:
        known = ", ".join(each.format for each in READERS)
        raise EcgError(f"{_named(files)} is no ECG in a format that is read here ({known}); export it in one of them.")
    module = cast("FormatReader", importlib.import_module(reader.module))
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # a library's warning quotes the file, and so the patient
            return module.read(files, declared or Declared())
    except EcgError:
        raise
    except (*DAMAGE, struct.error) as error:
        raise EcgError(f"{_named(files)} is damaged: it is not readable as {reader.format}; export it again.") from error


def _named(files: Mapping[str, bytes]) -> str:
    return next(iter(files), "The file")
