"""One minute of a long recording: its beats, and the few numbers that are kept of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.analysis import Quality
from ecg.measures.flutter import flutter_rate
from ecg.measures.intervals import intervals
from ecg.measures.rhythm import FLUTTER_EVIDENCE, TACHYCARDIA_BPM, evidence_needed, irregularity
from ecg.measures.st_segment import StLevels, st_levels
from ecg.processing import beats, delineation, median_beat
from ecg.processing.candidates import Samples
from ecg.processing.preparation import Prepared, made_ready
from ecg.recording import Millivolts

STILL_SHARE, LOST_SHARE, JUMP_MV = (
    0.98,
    0.5,
    10.0,
)  # of a second's samples, or a minute's seconds; from lowest to highest within one


@dataclass(frozen=True, eq=False)
class Window:
    """What is kept; samples are of the recording's own rate, from its beginning.

    ``qrs_ms``, ``with_p`` and ``usual`` (of the minute's most frequent shape) are per beat.
    ``lost`` tells of every second whether no lead could be read in it. ``st`` is per lead, NaN where the lead is not usable.
    """

    keep: tuple[int, int]
    peaks: Samples
    usual: NDArray[np.bool_]
    qrs_ms: NDArray[np.float64]
    with_p: NDArray[np.bool_]
    spikes: Samples
    lost: NDArray[np.bool_]
    quality: tuple[Quality, ...]
    flutter_bpm: float | None = None
    st: StLevels | None = None


def window_of(millivolts: Millivolts, rate: float, first: int, keep: tuple[int, int]) -> Window:
    """Return the window that answers for the samples *keep*; *millivolts* begin at sample *first*, margins included."""
    part = made_ready(np.ascontiguousarray(millivolts), rate, first, keep)
    lost = _lost(millivolts[:, keep[0] - first : keep[1] - first], rate)
    usable, working, transform = _usable(part, lost), part.rate, part.transform
    tops = beats.detect(transform, usable) if usable.any() else np.empty(0, np.intp)
    peaks = beats.aligned(transform.beating, tops, usable, working) if tops.size else tops
    if not peaks.size:
        return _without_beats(part, lost | ~usable.any())
    signal = transform.beating
    peaks, shape_of = median_beat.realigned(signal[usable], peaks, working)
    peaks = np.clip(peaks, 0, part.work.shape[1] - 1)
    inside = (part.own(peaks) >= keep[0]) & (part.own(peaks) < keep[1])
    found = _delineated(signal, peaks, shape_of, usable, working)
    doubtful = found.p_evidence < FLUTTER_EVIDENCE or _fast(peaks, working)
    return Window(
        keep, part.own(peaks)[inside], shape_of[inside] == 0, found.qrs_ms[inside], found.with_p[inside],
        part.spikes[(part.spikes >= keep[0]) & (part.spikes < keep[1])], lost, tuple(part.qualities),
        flutter_rate(transform, peaks, usable) if doubtful else None, _st(part, usable, peaks[shape_of == 0], found.main),
    )  # fmt: skip


def _without_beats(part: Prepared, lost: NDArray[np.bool_]) -> Window:
    none = np.empty(0, np.intp)
    return Window(part.keep, none, np.empty(0, np.bool_), np.empty(0), np.empty(0, np.bool_), none, lost, tuple(part.qualities))


@dataclass(frozen=True, eq=False)
class _Delineated:
    """Per beat the width and whether a P wave precedes it; of the most frequent shape the marks and the evidence for P."""

    qrs_ms: NDArray[np.float64]
    with_p: NDArray[np.bool_]
    main: dict[str, int]
    p_evidence: float


def _delineated(
    signal: Millivolts, peaks: Samples, shape_of: NDArray[np.intp], usable: NDArray[np.bool_], rate: float
) -> _Delineated:
    gaps = np.diff(peaks) / rate
    usual = float(np.median(gaps)) if gaps.size else 1.0
    needed = evidence_needed(irregularity(gaps))
    to_next, from_last = np.append(gaps, usual), np.insert(gaps, 0, usual)
    qrs_ms, with_p = np.zeros(peaks.size), np.zeros(peaks.size, np.bool_)
    main: tuple[dict[str, int], float] | None = None
    for shape in median_beat.shapes(signal, peaks, shape_of, rate):
        before_s, after_s = float(np.median(from_last[shape.members])), float(np.median(to_next[shape.members]))
        whole = delineation.ventricular(shape, usable, rate, before_s, after_s)
        search = delineation.p_search(whole["qrs_on"] + shape.before, before_s, shape.before, rate)
        evidence, preceded = delineation.atrial_evidence(signal, peaks, shape, search, usable, rate=rate)
        main = main or (whole, evidence)
        qrs_ms[shape.members] = (whole["qrs_off"] - whole["qrs_on"]) * 1000 / rate
        if evidence >= needed:
            with_p[shape.members] = preceded
    assert main is not None
    return _Delineated(qrs_ms, with_p, *main)


def _usable(part: Prepared, lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the leads that are read: a minute of which a piece is missing is still read around it."""
    if lost.mean() > LOST_SHARE:
        return part.usable
    return np.array([each.usable or set(each.reasons) == {"missing"} for each in part.qualities])


def _st(part: Prepared, usable: NDArray[np.bool_], peaks: Samples, main: dict[str, int]) -> StLevels | None:
    """Return the ST levels of the most frequent shape, NaN for a lead that is not usable; None when it is no heart's beat."""
    if intervals(main, part.rate).qrs_duration_ms is None:
        return None
    level = part.transform.filtered(part.transform.band(0, 60.0) * part.transform.without_mains())
    found = st_levels(level, peaks, main["qrs_on"], main["qrs_off"], part.rate)
    if found is None:
        return None
    return StLevels(*(np.where(usable, each, np.nan) for each in (found.j, found.j60, found.j80)))


def _fast(peaks: Samples, rate: float) -> bool:
    return peaks.size > 1 and 60 * rate / float(np.median(np.diff(peaks))) > TACHYCARDIA_BPM


def _lost(millivolts: Millivolts, rate: float) -> NDArray[np.bool_]:
    """Return of every second begun whether all leads were off: missing, standing still, or jumping."""
    samples = millivolts.shape[1]
    starts = np.rint(np.arange(0, samples / rate) * rate).astype(np.intp)
    starts = starts[starts < samples]
    count = np.diff(np.append(starts, samples))
    missing = ~np.isfinite(millivolts)
    values = np.where(missing, 0.0, millivolts)
    still = np.zeros(millivolts.shape, np.bool_)
    still[:, 1:] = values[:, 1:] == values[:, :-1]
    span = np.maximum.reduceat(values, starts, axis=1) - np.minimum.reduceat(values, starts, axis=1)
    gone = np.add.reduceat(missing, starts, axis=1, dtype=np.intp) > LOST_SHARE * count
    quiet = np.add.reduceat(still, starts, axis=1, dtype=np.intp) >= STILL_SHARE * (count - 1)
    return np.asarray((gone | quiet | (span > JUMP_MV)).all(axis=0))
