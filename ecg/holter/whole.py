"""One JSON for every length: a strip's analysis, with the summary of a long recording in it under ``long``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg.analysis import WAVES, Analysis, Corrected, Measurements, Quality
from ecg.formats import read
from ecg.formats.streams import Source, of_recording, opened
from ecg.holter import LONG_BYTES
from ecg.holter.analyser import analyse
from ecg.holter.statements import rhythm_of, statements
from ecg.holter.summary import Summary
from ecg.pipeline import analyse as analyse_strip
from ecg.recording import MAX_SAMPLES, Recording

LONG_S = 300.0  # from here on there is a summary
ONE_PIECE_S = 3600.0  # beyond, waves are not listed beat by beat

Progress = Callable[[float], None]


def _quiet(_: float) -> None:
    """Tell nobody."""


def analysis_of(recording: Recording, *, progress: Progress = _quiet) -> dict[str, Any]:
    """Return the analysis of a recording in memory as JSON; from five minutes on with its summary."""
    if recording.duration_s > ONE_PIECE_S:
        return analysis_of_source(of_recording(recording), progress=progress)
    content = analyse_strip(recording).as_json()
    if recording.duration_s >= LONG_S:
        content["long"] = _without_beats(analyse(of_recording(recording), progress=progress))
    return content


def analysis_of_source(source: Source, *, progress: Progress = _quiet) -> dict[str, Any]:
    """Return the analysis of a recording on the disk as JSON."""
    if source.duration_s <= ONE_PIECE_S and source.samples * len(source.leads) <= MAX_SAMPLES:
        return analysis_of(source.recording(0, source.samples), progress=progress)
    summary = analyse(source, progress=progress)
    return {**as_analysis(summary).as_json(), "long": _without_beats(summary)}


def analysis_of_file(path: Path) -> dict[str, Any]:
    """Return the analysis of the recording kept at *path*, a file of its own, as JSON; `EcgError` when it cannot be read."""
    source = long_source(path)
    return analysis_of(read({path.name: path.read_bytes()})) if source is None else analysis_of_source(source)


def long_source(path: Path) -> Source | None:
    """Return the recording at *path* opened to be read in pieces when it is large and longer than an hour, else None."""
    files = list(path.parent.glob(f"{path.stem}*")) if path.suffix.lower() == ".hea" else [path]
    if sum(file.stat().st_size for file in files if file.is_file()) <= LONG_BYTES:
        return None
    source = opened(path)
    return source if source.duration_s > ONE_PIECE_S else None


def as_analysis(summary: Summary) -> Analysis:
    """Return *summary* in the form of a strip's analysis: beats, rate, rhythm and statements; nothing wave by wave."""
    no_waves: dict[str, tuple[int, ...]] = dict.fromkeys(WAVES, ())
    mean = summary.rates.mean_bpm
    return Analysis(
        format=summary.format,
        sampling_frequency_hz=summary.sampling_frequency_hz,
        duration_s=summary.duration_s,
        leads=summary.leads,
        r_peaks=tuple(summary.table.at.tolist()),
        beats=tuple(summary.table.kind.tolist()),
        delineation=dict.fromkeys(summary.leads, no_waves),
        measurements=Measurements(heart_rate_bpm=None if mean is None else round(mean), qtc_ms=Corrected()),
        rhythm=rhythm_of(summary),
        statements=statements(summary),
        quality={lead: Quality(share <= 0.5, ()) for lead, share in summary.unusable.items()},
        warnings=(
            *summary.notes,
            f"Intervals and waves are not listed for recordings of more than {ONE_PIECE_S / 3600:g} h or {MAX_SAMPLES} samples.",
        ),
    )


def _without_beats(summary: Summary) -> dict[str, Any]:
    content = summary.as_json()
    return {name: content[name] for name in content if name not in REPEATED}


#: What the analysis around the summary says already.
REPEATED = frozenset({"format", "sampling_frequency_hz", "duration_s", "leads", "r_peaks", "beats"})
