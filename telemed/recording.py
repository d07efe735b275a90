"""`telemed ecg`: one recording from the disk, analysed, drawn or converted."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydicom.uid import generate_uid

import ecg.formats
from ecg import rendering
from ecg.formats import dicom
from ecg.pipeline import Analysis
from ecg.pipeline import analyse as analyse_recording
from ecg.recording import PatientTags, Recording
from telemed.kernel.clock import SystemClock
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


def draw(file: Path, out: Path) -> None:
    """Draw one recording on calibrated paper, as SVG in millimetres."""
    out.write_text(rendering.svg(read(file)), encoding="utf-8")


def convert(file: Path, out: Path) -> None:
    """Write one recording as a DICOM ECG; the UIDs derive from its samples, so that the same file gives the same object."""
    recording = read(file)
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
