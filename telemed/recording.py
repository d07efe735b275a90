"""`telemed ecg`: one recording from the disk, analysed, drawn or converted."""

from __future__ import annotations

from pathlib import Path

import ecg.formats
from ecg.pipeline import Analysis
from ecg.pipeline import analyse as analyse_recording
from ecg.recording import Recording
from telemed.kernel.errors import Invalid

#: A 24-hour recording of twelve leads at 500 Hz has 1 GB; more is not an ECG.
LARGEST = 2 << 30


def read(file: Path) -> Recording:
    """Read one recording; a WFDB header brings its signal files, a record may be named without an ending."""
    if not file.exists() and file.with_name(file.name + ".hea").exists():
        file = file.with_name(file.name + ".hea")
    if not file.is_file():
        raise Invalid(f"{file}: there is no such file")
    members = [file]
    if file.suffix.lower() == ".hea":
        members = sorted(member for member in file.parent.glob(f"{file.stem}.*") if member.is_file())
    if sum(member.stat().st_size for member in members) > LARGEST:
        raise Invalid(f"{file}: larger than any ECG ({LARGEST >> 30} GiB)")
    try:
        return ecg.formats.read({member.name: member.read_bytes() for member in members})
    except ecg.EcgError as error:
        raise Invalid(f"{file}: {error}") from error
    except OSError as error:
        raise Invalid(f"{file}: cannot be read ({error.strerror})") from error


def analyse(file: Path) -> Analysis:
    """Read and analyse one recording."""
    return analyse_recording(read(file))
