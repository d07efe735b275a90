"""`telemed ecg`: one recording from the disk, analysed, drawn or converted."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydicom.uid import generate_uid

import ecg.formats
from ecg import rendering
from ecg.formats import Declared, dicom, wfdb
from ecg.pipeline import Analysis
from ecg.pipeline import analyse as analyse_recording
from ecg.recording import PatientTags, Recording
from telemed.kernel.clock import SystemClock
from telemed.kernel.errors import Invalid

#: A 24-hour recording of twelve leads at 500 Hz has 1 GB; more is not an ECG.
LARGEST = 2 << 30


def read(file: Path, declared: Declared | None = None) -> Recording:
    """Read one recording; a WFDB header brings the files it names, a record may be named without an ending."""
    if not file.exists() and file.with_name(file.name + ".hea").exists():
        file = file.with_name(file.name + ".hea")
    if not file.is_file():
        raise Invalid(f"{file}: there is no such file")
    try:
        if file.suffix.lower() == ".hea":
            files = wfdb.collected(file.name, lambda name: _content(file.with_name(name)))
        else:
            files = {file.name: _content(file) or b""}
        return ecg.formats.read(files, declared=declared)
    except ecg.EcgError as error:
        raise Invalid(f"{file}: {error}") from error
    except OSError as error:
        raise Invalid(f"{file}: cannot be read ({error.strerror})") from error


def _content(file: Path) -> bytes | None:
    if not file.is_file():
        return None
    if file.stat().st_size > LARGEST:
        raise Invalid(f"{file}: larger than any ECG ({LARGEST >> 30} GiB)")
    return file.read_bytes()


def analyse(file: Path, declared: Declared | None = None) -> Analysis:
    """Read and analyse one recording."""
    recording = read(file, declared)
    return analyse_recording(recording)


def draw(file: Path, out: Path, declared: Declared | None = None) -> None:
    """Draw one recording on calibrated paper, as SVG in millimetres."""
    out.write_text(rendering.svg(read(file, declared)), encoding="utf-8")


def convert(file: Path, out: Path, declared: Declared | None = None) -> None:
    """Write one recording as a DICOM ECG; the UIDs derive from its samples, so that the same file gives the same object."""
    recording = read(file, declared)
    seed = hashlib.sha256(recording.millivolts.tobytes()).hexdigest()
    study, series, instance = (generate_uid(prefix=None, entropy_srcs=[seed, level]) for level in ("study", "series", "instance"))
    content = dicom.write(
        recording,
        recording.patient or PatientTags(),
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=instance,
        acquired_at=recording.started_at or SystemClock().now(),
    )
    out.write_bytes(content)


def told(analysis: Analysis) -> str:
    """Say an analysis as text for a terminal."""
    content = analysis.as_json()
    measured = content["measurements"]
    lines = [
        f"{content['format']}, {len(content['leads'])} leads, {content['sampling_frequency_hz']} Hz, {content['duration_s']} s",
        *(f"  {name:<20} {value}" for name, value in measured.items() if value is not None and not isinstance(value, dict)),
        *(f"  {name:<20} {value}" for name, value in (measured.get("qtc_ms") or {}).items()),
        *(f"[{one['severity']}] {one['text']['zh']} / {one['text']['en']}" for one in content["statements"]),
        *(f"! {warning}" for warning in content["warnings"]),
        "提示，非诊断 / a hint, not a diagnosis",
    ]
    return "\n".join(lines)
