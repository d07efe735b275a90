"""`telemed ecg`: one recording from the disk, analysed, drawn or converted."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.uid import generate_uid

import ecg.formats
from ecg import rendering
from ecg.formats import Declared, dicom, wfdb
from ecg.formats.streams import Source, of_recording
from ecg.holter import whole
from ecg.holter.episodes import KINDS
from ecg.pipeline import analyse as analyse_strip
from ecg.recording import PatientTags, Recording
from ecg.rendering import Paper, Particulars, Sheet
from ecg.structured_report import write as write_report
from ecg.structured_report.writing import Device
from telemed import __version__
from telemed.kernel.clock import SystemClock
from telemed.kernel.errors import Invalid

#: A 24-hour recording of twelve leads at 500 Hz has 1 GB; more is not an ECG.
LARGEST = 2 << 30


def read(file: Path, declared: Declared | None = None) -> Recording:
    """Read one recording; a WFDB header brings the files it names, a record may be named without an ending."""
    file = _named(file)
    if not file.is_file():
        raise Invalid(f"{file}: there is no such file")
    with _sentences(file):
        if file.suffix.lower() == ".hea":
            files = wfdb.collected(file.name, lambda name: _content(file.with_name(name)))
        else:
            files = {file.name: _content(file) or b""}
        return ecg.formats.read(files, declared=declared)


def _named(file: Path) -> Path:
    """Return the file meant: a WFDB record may be named without its ending."""
    header = file.with_name(file.name + ".hea")
    return header if not file.exists() and header.exists() else file


def _content(file: Path) -> bytes | None:
    if not file.is_file():
        return None
    if file.stat().st_size > LARGEST:
        raise Invalid(f"{file}: larger than any ECG ({LARGEST >> 30} GiB)")
    return file.read_bytes()


def analyse(file: Path, declared: Declared | None = None) -> dict[str, Any]:
    """Read and analyse one recording; a long one is read in pieces, with a bar on a terminal."""
    with _sentences(file):
        source = _long(file)
        if source is not None:
            return whole.analysis_of_source(source, progress=_bar)
    return whole.analysis_of(read(file, declared), progress=_bar)


def _long(file: Path) -> Source | None:
    """Return a long recording, opened to be read in pieces, else None."""
    path = _named(file)
    return whole.long_source(path) if path.is_file() else None


@contextmanager
def _sentences(file: Path) -> Iterator[None]:
    """Say what is wrong with *file* in one sentence."""
    try:
        yield
    except ecg.EcgError as error:
        raise Invalid(f"{file}: {error}") from error
    except OSError as error:
        raise Invalid(f"{file}: cannot be read ({error.strerror})") from error


def _bar(done: float) -> None:
    if sys.stderr.isatty():
        width = round(40 * done)
        sys.stderr.write(f"\r[{'#' * width}{'.' * (40 - width)}] {done:4.0%}" + ("\n" if done >= 1 else ""))
        sys.stderr.flush()


def draw_svg(file: Path, out: Path, paper: Paper, declared: Declared | None = None) -> list[Path]:
    """Draw one recording on calibrated paper; return the files written: *out*, and for further pages ``name-2.svg`` beside it."""
    pages = _pages(file, paper, declared)
    names = [out, *(out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(2, len(pages) + 1))]
    for name, page in zip(names, pages, strict=True):
        name.write_text(rendering.svg(page), encoding="utf-8")
    return names


def draw_pdf(file: Path, out: Path, paper: Paper, declared: Declared | None = None) -> None:
    """Draw one recording on calibrated paper as a PDF."""
    from consult.reports.document.ecg_paper import write_ecg  # noqa: PLC0415 - only this needs a PDF library
    from telemed.compose import STATIC  # noqa: PLC0415 - as above

    out.write_bytes(write_ecg(_pages(file, paper, declared), STATIC / "fonts"))


def _pages(file: Path, paper: Paper, declared: Declared | None) -> list[Sheet]:
    source, particulars = _long(file), Particulars()
    if source is None:
        recording = read(file, declared)
    else:
        recording, paper, particulars = rendering.excerpt(source, paper, particulars)
    return rendering.sheets(recording, paper, particulars, analyse_strip(recording))


def convert(file: Path, out: Path, declared: Declared | None = None) -> None:
    """Write one recording as a DICOM ECG; the UIDs derive from its samples, so that the same file gives the same object."""
    with _sentences(file):
        source = _long(file)
    source = source or of_recording(read(file, declared))
    with out.open("wb") as written:
        _as_dicom(source, written)


def report(file: Path, out: Path, declared: Declared | None = None) -> None:
    """Write the analysis as a DICOM ECG Report about the recording: about the object `convert` gives, when it is not DICOM."""
    recording = read(file, declared)
    source, converted = of_recording(recording), BytesIO()
    if recording.format == "dicom":
        converted.write(file.read_bytes())
    else:
        _as_dicom(source, converted)
    uid_of = _uids(source)
    written = write_report(
        analyse_strip(recording),
        recording,
        converted.getvalue(),
        series_instance_uid=uid_of("report series"),
        sop_instance_uid=uid_of("report"),
        device=Device(version=__version__),
        written_at=SystemClock().now(),
    )
    out.write_bytes(written)


def _as_dicom(source: Source, file: BinaryIO) -> None:
    uid_of = _uids(source)
    dicom.write_to(
        file,
        source,
        source.patient or PatientTags(),
        study_instance_uid=uid_of("study"),
        series_instance_uid=uid_of("series"),
        sop_instance_uid=uid_of("instance"),
        acquired_at=source.started_at or SystemClock().now(),
    )


def _uids(source: Source) -> Callable[[str], str]:
    """Return what gives each part its UID, made from all samples."""
    seed = hashlib.sha256()
    for piece in source.pieces():
        seed.update(piece.tobytes())
    return lambda part: generate_uid(prefix=None, entropy_srcs=[seed.hexdigest(), part])


def told(content: dict[str, Any]) -> str:
    """Say an analysis as text for a terminal."""
    measured = content["measurements"]
    lines = [
        f"{content['format']}, {len(content['leads'])} leads, {content['sampling_frequency_hz']} Hz, {content['duration_s']} s",
        *(f"  {name:<20} {value}" for name, value in measured.items() if value is not None and not isinstance(value, dict)),
        *(f"  {name:<20} {value}" for name, value in (measured.get("qtc_ms") or {}).items() if value is not None),
        *(f"[{one['severity']}] {one['text']['zh']} / {one['text']['en']}" for one in content["statements"]),
        *(_told_long(content["long"]) if "long" in content else ()),
        *(f"! {warning}" for warning in content["warnings"]),
        "提示，非诊断 / a hint, not a diagnosis",
    ]
    return "\n".join(lines)


def _told_long(long: dict[str, Any]) -> Iterator[str]:
    """Say the summary of a long recording: hour by hour, then how many episodes of each kind and the longest of them."""
    yield "hour    HR mean  min  max       N      V      S      P  pauses  AF min  artefact"
    for hour in long["hours"]:
        rates, beats = hour["heart_rate_bpm"], hour["beats"]
        bpm = "  ".join(f"{'-' if rates[name] is None else round(rates[name]):>3}" for name in ("mean", "min", "max"))
        counts = "".join(f"{beats[kind]:>7}" for kind in ("normal", "ventricular", "supraventricular", "paced"))
        rest = f"{hour['pauses']:>8}{hour['fibrillation_minutes']:>8.1f}{hour['artefact_share']:>10.1%}"
        yield f"{hour['hour']:>4}        {bpm} {counts}{rest}"
    for kind, count in long["counts"].items():
        own = [episode for episode in long["episodes"] if episode["kind"] == kind]
        if own:
            longest = max(own, key=lambda episode: float(episode["seconds"]))
            text = KINDS[kind]
            yield f"{text.zh} / {text.en}: {count}, {longest['seconds']:.1f} s at {longest['start_s']:.1f} s"
    if long["variability"]:
        known = {name: value for name, value in long["variability"].items() if value is not None}
        yield "HRV  " + "  ".join(f"{name} {value:g}" for name, value in known.items())
