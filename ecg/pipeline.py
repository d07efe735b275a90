"""From a recording to its analysis: one pass for a strip, the same pass minute by minute for a long recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.analysis import WAVES, Analysis, Measurements, Quality
from ecg.findings import FIBRILLATING
from ecg.measures.amplitudes import Amplitudes, amplitudes
from ecg.measures.axis import axis, foot_lead
from ecg.measures.chest_order import chest_order
from ecg.measures.ectopy import BeatFacts, classes, in_groups, ventricular
from ecg.measures.flutter import flutter_rate
from ecg.measures.intervals import Intervals, corrected, intervals, middle
from ecg.measures.placement import Segments, placement, segments
from ecg.measures.rhythm import (
    FLUTTER_EVIDENCE,
    TACHYCARDIA_BPM,
    RhythmEvidence,
    code_of,
    dissociated_atrial_rate,
    evidence_needed,
    irregularity,
)
from ecg.measures.st_segment import StLevels, st_levels
from ecg.processing import beats, delineation, median_beat, preparation, quality
from ecg.processing.candidates import Samples
from ecg.processing.order import median, percentiles
from ecg.processing.preparation import Prepared
from ecg.recording import Millivolts, Recording, with_limb_leads
from ecg.statements import Findings, rhythm_statement, statements

__all__ = ["Analysis", "analyse"]

ABSENT, NOWHERE = -1, -(1 << 40)
_OF_P = np.array([wave.startswith("p_") for wave in WAVES])
_SPANS = slice(0, 3), slice(3, 5), slice(5, 8)  # of `WAVES`: P, QRS, T
PACED_S = 0.20  # a spike stands this near before its beat


@dataclass(frozen=True, eq=False)
class Part:
    """What one part of the recording gave; samples are of the recording's own rate, from its beginning.

    ``waves`` is (leads, marks in the order of `WAVES`, beats), `ABSENT` where a beat has none.
    """

    peaks: Samples
    shape_of: NDArray[np.intp]
    qrs_ms: NDArray[np.float64]
    with_p: NDArray[np.bool_]
    waves: Samples
    quality: list[Quality]
    intervals: Intervals
    axes: tuple[int | None, int | None, int | None]
    rv5_sv1_mv: float | None
    st: StLevels | None
    p_evidence: float
    atrial_rate_bpm: float | None
    flutter_bpm: float | None
    amplitudes: Mapping[str, Amplitudes]
    segments: Segments | None
    spikes: Samples


def analyse(recording: Recording) -> Analysis:
    """Return everything found in *recording*; never raises on a recording that could be read.

    Limb leads that follow from I and II are added first. Time grows with the length, memory with the length of the samples
    themselves; a long recording is taken in parts of a minute that overlap.
    """
    recording = with_limb_leads(recording)
    parts = [found_in(recording, part) for part in preparation.parts(recording)]
    peaks = np.concatenate([part.peaks for part in parts])
    qualities = quality.combined([part.quality for part in parts])
    usable = dict(zip(recording.names, qualities, strict=True))
    facts = _facts(parts, peaks, recording.sampling_frequency_hz)
    evidence = _rhythm(parts, facts, qualities)
    measured = _measurements(recording, parts, peaks, evidence)
    code = code_of(evidence)
    gaps_ms = np.diff(peaks) * 1000 / recording.sampling_frequency_hz
    beat_classes = classes(facts, fibrillating=code in FIBRILLATING)
    fullest = max(parts, key=lambda part: part.peaks.size)
    findings = Findings(
        measurements=measured,
        rhythm=code,
        evidence=evidence,
        quality=usable,
        st_j60_mv=_st(recording, parts, "j60"),
        amplitudes=fullest.amplitudes,
        placement=placement(fullest.segments),
        chest_order=chest_order(fullest.segments),
        beats=beat_classes,
        gaps_ms=tuple(gaps_ms.tolist()),
        sex=recording.patient.sex if recording.patient else "",
        age_years=recording.patient.age_at(recording.started_at) if recording.patient else None,
    )
    return Analysis(
        format=recording.format,
        sampling_frequency_hz=recording.sampling_frequency_hz,
        duration_s=recording.duration_s,
        leads=recording.names,
        r_peaks=tuple(int(peak) for peak in peaks),
        beats=beat_classes,
        delineation=_delineation(recording, parts, with_p=evidence.p_waves),
        measurements=measured,
        rhythm=rhythm_statement(findings),
        statements=statements(findings),
        quality=usable,
        warnings=(*recording.notes, *_warnings(measured, evidence, usable)),
        device=recording.device,
        device_statements=recording.device_statements,
    )


def found_in(recording: Recording, part: Prepared) -> Part:
    """Return what is found in *part* of *recording*, whose limb leads have been completed."""
    work, working, transform, usable, own = part.work, part.rate, part.transform, part.usable, part.own
    qualities, keep = part.qualities, part.keep
    if not usable.any():
        return _empty(qualities)
    tops = beats.detect(transform, usable)
    signal = transform.beating
    peaks = beats.aligned(signal, tops, usable, working)
    if not peaks.size:
        return _empty(qualities)
    peaks, shape_of = median_beat.realigned(signal[usable], peaks, working)
    peaks = np.clip(peaks, 0, work.shape[1] - 1)
    inside = (own(peaks) >= keep[0]) & (own(peaks) < keep[1])
    found = _waves(signal, peaks, shape_of, usable, working)
    level = transform.filtered(transform.band(0, 60.0) * transform.without_mains())
    st = st_levels(level, peaks[found.main.members], found.of_main["qrs_on"], found.of_main["qrs_off"], working)
    span = float(median(np.diff(peaks))) / working if peaks.size > 1 else 1.0
    atrial = None
    if found.p_evidence < delineation.P_EVIDENCE and peaks.size >= 3:
        off = found.of_main.get("t_off", round(0.4 * working)) / working
        atrial = dissociated_atrial_rate(signal, peaks, usable, working, (-0.10, min(off + 0.03, 0.6 * span)))
    waves = np.where(found.places == ABSENT, ABSENT, own(found.places))[:, :, inside]
    doubtful = found.p_evidence < FLUTTER_EVIDENCE or _fast(peaks, working)
    flutter = flutter_rate(transform, peaks, usable) if doubtful else None
    return Part(
        own(peaks)[inside], shape_of[inside], found.qrs_ms[inside], found.with_p[inside], waves, qualities,
        intervals(found.of_main, working), _axes(recording, found, working), _voltages(recording, found, usable), st,
        found.p_evidence, atrial, flutter, _amplitudes(recording, found, usable, working),
        _segments(recording, found, usable, working), part.spikes,
    )  # fmt: skip


def _empty(qualities: list[Quality]) -> Part:
    none = np.empty(0, np.intp)
    return Part(
        none, none, np.empty(0), np.empty(0, np.bool_), np.empty((len(qualities), len(WAVES), 0), np.intp), qualities,
        Intervals(), (None, None, None),
        None, None, 0.0, None, None, {}, None, none,
    )  # fmt: skip


def _fast(peaks: Samples, rate: float) -> bool:
    """Tell whether the ventricles beat so fast that the atria may flutter behind each QRS."""
    return peaks.size > 1 and 60 * rate / float(median(np.diff(peaks))) > TACHYCARDIA_BPM


def _amplitudes(recording: Recording, found: "Found", usable: NDArray[np.bool_], rate: float) -> dict[str, Amplitudes]:
    """Return the voltages of the usable leads in the most frequent shape."""
    shape = found.main
    return {
        name: measured
        for row, name in enumerate(recording.names)
        if usable[row] and (measured := amplitudes(shape.median[row], found.of_leads[row], shape.before, rate)) is not None
    }


def _segments(recording: Recording, found: "Found", usable: NDArray[np.bool_], rate: float) -> Segments | None:
    """Return the most frequent shape as the placement of electrodes is judged by."""
    rows = {name: row for name, row in recording.rows.items() if usable[row]}
    return segments(found.main.median, rows, found.of_main, found.main.before, rate)


def _facts(parts: Sequence[Part], peaks: Samples, rate: float) -> BeatFacts:
    """Return what is known of every beat, over all parts."""
    return BeatFacts(
        at_ms=peaks.astype(np.float64) * (1000 / rate),
        usual=np.concatenate([part.shape_of for part in parts]) == 0,
        qrs_ms=np.concatenate([part.qrs_ms for part in parts]),
        with_p=np.concatenate([part.with_p for part in parts]),
        paced=_paced(parts, peaks, rate),
    )


def _paced(parts: Sequence[Part], peaks: Samples, rate: float) -> NDArray[np.bool_]:
    """Return which beats a pacing spike precedes."""
    spikes = np.unique(np.concatenate([part.spikes for part in parts]))
    if not spikes.size or not peaks.size:
        return np.zeros(peaks.size, np.bool_)
    ahead = np.searchsorted(spikes, peaks) - 1
    return np.asarray((ahead >= 0) & (peaks - spikes[ahead] < PACED_S * rate))


@dataclass(frozen=True, eq=False)
class Found:
    """The waves of a part as in `Part`, at the working rate, and the most frequent shape with its global marks."""

    places: Samples
    qrs_ms: NDArray[np.float64]
    with_p: NDArray[np.bool_]
    main: median_beat.Shape
    of_main: dict[str, int]
    of_leads: list[dict[str, int]]
    p_evidence: float


def _waves(signal: Millivolts, peaks: Samples, shape_of: NDArray[np.intp], usable: NDArray[np.bool_], rate: float) -> Found:
    shapes = median_beat.shapes(signal, peaks, shape_of, rate)
    gaps = np.diff(peaks) / rate
    usual = float(median(gaps)) if gaps.size else 1.0
    needed = evidence_needed(irregularity(gaps))
    to_next, from_last = np.append(gaps, usual), np.insert(gaps, 0, usual)
    places = np.full((usable.size, len(WAVES), peaks.size), ABSENT, np.intp)
    qrs_ms, p_of_beat = np.zeros(peaks.size), np.zeros(peaks.size, np.bool_)
    main: tuple[median_beat.Shape, dict[str, int], list[dict[str, int]], float] | None = None
    for shape in shapes:
        before_s, after_s = float(median(from_last[shape.members])), float(median(to_next[shape.members]))
        waves = delineation.delineate(shape, usable, rate, before_s, after_s)
        search = delineation.p_search(waves.whole["qrs_on"] + shape.before, before_s, shape.before, rate)
        evidence, with_p = delineation.atrial_evidence(signal, peaks, shape, search, usable, rate=rate)
        if evidence < needed:
            with_p = np.zeros(shape.members.size, np.bool_)
        if main is None:
            of_main = {name: at for name, at in waves.whole.items() if with_p.any() or not name.startswith("p_")}
            main = (shape, of_main, [marks.at for marks in waves.leads], evidence)
        qrs_ms[shape.members] = (waves.whole["qrs_off"] - waves.whole["qrs_on"]) * 1000 / rate
        p_of_beat[shape.members] = with_p
        marks = np.array([[each.at.get(name, NOWHERE) for name in WAVES] for each in waves.leads])
        at = marks[:, :, None] + peaks[shape.members]
        marked = (marks != NOWHERE)[:, :, None]
        there = marked & (with_p | ~_OF_P[:, None])
        cut = marked & ((at < 0) | (at >= signal.shape[1]))
        for wave in _SPANS:  # a wave that is cut is none
            there[:, wave] &= ~cut[:, wave].any(axis=1, keepdims=True)
        places[:, :, shape.members] = np.where(there, at, ABSENT)
    assert main is not None
    return Found(places, qrs_ms, p_of_beat, *main)


def _axes(recording: Recording, found: Found, rate: float) -> tuple[int | None, int | None, int | None]:
    rows, median = dict(recording.rows), found.main.median
    foot = foot_lead(rows, median)
    if "I" not in rows or foot is None:
        return None, None, None
    ends = [("p_on", "p_off"), ("qrs_on", "qrs_off"), ("t_on", "t_off")]
    spans = [
        (found.of_main[a] + found.main.before, found.of_main[b] + found.main.before)
        if a in found.of_main and b in found.of_main
        else None
        for a, b in ends
    ]
    p, qrs, t = (axis(median[rows["I"]], foot, span, rate) if span else None for span in spans)
    return p, qrs, t


def _voltages(recording: Recording, found: Found, usable: NDArray[np.bool_]) -> float | None:
    """Return R in V5 plus S in V1 (Sokolow and Lyon), from the level before the QRS."""
    rows, median, before = recording.rows, found.main.median, found.main.before
    if not ("V1" in rows and "V5" in rows) or not (usable[rows["V1"]] and usable[rows["V5"]]):
        return None
    first, last = found.of_main["qrs_on"] + before, found.of_main["qrs_off"] + before
    five, one = median[rows["V5"]], median[rows["V1"]]
    return float(max(0.0, five[first : last + 1].max() - five[first]) + max(0.0, one[first] - one[first : last + 1].min()))


def _rhythm(parts: Sequence[Part], beats_of: BeatFacts, qualities: Sequence[Quality]) -> RhythmEvidence:
    gaps = np.diff(beats_of.at_ms)
    conducted = ~ventricular(beats_of)
    usual = gaps[conducted[:-1] & conducted[1:]]
    usual = usual if usual.size >= max(3, gaps.size // 5) else gaps
    atrial = [(part.atrial_rate_bpm, part.peaks.size) for part in parts if part.atrial_rate_bpm is not None]
    flutter = [(part.flutter_bpm, part.peaks.size) for part in parts if part.flutter_bpm is not None]
    p_axes = [(float(part.axes[0]), part.peaks.size) for part in parts if part.axes[0] is not None]
    p_axis = middle(p_axes)
    used = any(quality.usable for quality in qualities)
    off = all("lead-off" in quality.reasons or "missing" in quality.reasons for quality in qualities)
    short = any("too-short" in quality.reasons for quality in qualities)
    flat = all({"flat", "lead-off"} & set(quality.reasons) for quality in qualities)
    low, high = percentiles(usual, 5, 95) if usual.size else (0.0, 0.0)
    return RhythmEvidence(
        beats=int(beats_of.at_ms.size),
        heart_rate_bpm=float(60000 / gaps.mean()) if gaps.size else None,
        irregularity=irregularity(usual),
        spread_ms=float(high - low),
        spread=float((high - low) / usual.mean()) if usual.size else 0.0,
        p_evidence=middle([(part.p_evidence, part.peaks.size) for part in parts if part.peaks.size]) or 0.0,
        p_axis_deg=None if p_axis is None else round(p_axis),
        qrs_duration_ms=middle(
            [(p.intervals.qrs_duration_ms, p.peaks.size) for p in parts if p.intervals.qrs_duration_ms is not None]
        ),
        atrial_rate_bpm=middle(atrial) if 2 * sum(weight for _, weight in atrial) > gaps.size else None,
        paced_share=float(beats_of.paced.mean()) if beats_of.paced.size else 0.0,
        flutter_bpm=middle(flutter) if 2 * sum(weight for _, weight in flutter) > gaps.size else None,
        in_groups=in_groups(gaps),
        signal="good" if used else "none" if off or short or not flat else "flat",
    )


def _st(recording: Recording, parts: Sequence[Part], point: str) -> dict[str, float] | None:
    """Return the level at *point* of every usable lead, the median over the parts."""
    levels: dict[str, float] = {}
    for row, name in enumerate(recording.names):
        values = [
            (float(getattr(part.st, point)[row]), part.peaks.size)
            for part in parts
            if part.st is not None and part.quality[row].usable
        ]
        value = middle(values)
        if value is not None:
            levels[name] = round(value, 3) + 0.0
    return levels or None


def _measurements(recording: Recording, parts: Sequence[Part], peaks: Samples, evidence: RhythmEvidence) -> Measurements:
    def over_parts(name: str) -> int | None:
        values = [(getattr(part.intervals, name), part.peaks.size) for part in parts if getattr(part.intervals, name) is not None]
        value = middle(values)
        return None if value is None else round(value)

    def axis_of(wave: int) -> int | None:
        values = [(float(angle), part.peaks.size) for part in parts if (angle := part.axes[wave]) is not None]
        value = middle(values)
        return None if value is None else round(value)

    gaps = np.diff(peaks) * 1000 / recording.sampling_frequency_hz
    qt = over_parts("qt_interval_ms")
    sokolow = middle([(part.rv5_sv1_mv, part.peaks.size) for part in parts if part.rv5_sv1_mv is not None])
    with_p = evidence.p_waves
    return Measurements(
        heart_rate_bpm=None if evidence.heart_rate_bpm is None else round(evidence.heart_rate_bpm),
        p_duration_ms=over_parts("p_duration_ms") if with_p else None,
        pr_interval_ms=over_parts("pr_interval_ms") if with_p else None,
        qrs_duration_ms=over_parts("qrs_duration_ms"),
        qt_interval_ms=qt,
        qtc_ms=corrected(qt, float(gaps.mean()) if gaps.size else None),
        p_axis_deg=axis_of(0) if with_p else None,
        qrs_axis_deg=axis_of(1),
        t_axis_deg=axis_of(2),
        rv5_sv1_mv=None if sokolow is None else round(sokolow, 3),
        st_j_mv=_st(recording, parts, "j"),
    )


def _delineation(recording: Recording, parts: Sequence[Part], *, with_p: bool) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return every lead's waves in order; a wave that two parts saw at their border is kept once.

    Without *with_p* no P wave is marked: what looked like one in a part was judged to be none over the whole.
    """
    places = np.concatenate([part.waves for part in parts], axis=2)
    if not with_p:
        places[:, _OF_P] = ABSENT
    return {
        name: {wave: tuple(sorted(set(at) - {ABSENT})) for wave, at in zip(WAVES, of_lead, strict=True)}
        for name, of_lead in zip(recording.names, places.tolist(), strict=True)
    }


#: What is not measured -> why.
_REASONS: Mapping[str, str] = {
    "heart_rate_bpm": "fewer than two beats were found",
    "p_duration_ms": "no P wave stands before the beats",
    "pr_interval_ms": "no P wave stands before the beats",
    "qrs_duration_ms": "no beat with a clear beginning and end was found",
    "qt_interval_ms": "no T wave with a clear end was found",
    "p_axis_deg": "no P wave that points anywhere was found, or lead I, II or aVF is missing",
    "qrs_axis_deg": "no beat was found, or lead I, II or aVF is missing",
    "t_axis_deg": "no T wave that points anywhere was found, or lead I, II or aVF is missing",
    "rv5_sv1_mv": "V1 and V5 are not both usable",
    "st_j_mv": "no beat lies wholly inside the recording",
}


def _warnings(measured: Measurements, evidence: RhythmEvidence, qualities: Mapping[str, Quality]) -> list[str]:
    """Return why each thing that is null could not be measured, and which leads were set aside."""
    aside = [f"{name} ({', '.join(each.reasons)})" for name, each in qualities.items() if not each.usable]
    result = [f"Leads set aside: {'; '.join(aside)}."] if aside else []
    if not evidence.beats:
        result.append("No ventricular beat was found, so nothing could be measured.")
    result.extend(f"{name} is null: {reason}." for name, reason in _REASONS.items() if getattr(measured, name) is None)
    if measured.qtc_ms.bazett is None:
        result.append("qtc_ms is null: QT or the heart rate is missing.")
    return result
