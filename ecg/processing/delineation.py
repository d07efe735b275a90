"""Onsets, peaks and offsets of P, QRS and T: found in each shape's median beat, lead by lead, and carried to its beats.

The median beat has little noise, and a wave's distance from the R peak hardly changes between beats of one shape; whether an
atrial wave is there at all is asked of every beat by itself. Places are samples of the working rate relative to the R peak.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.processing.boundaries import Surroundings, refine
from ecg.processing.candidates import Samples
from ecg.processing.filters import moving_mean
from ecg.processing.median_beat import Shape, windows
from ecg.processing.order import median, percentiles
from ecg.recording import Millivolts

Row = NDArray[np.float64]

QRS_REACH_S = (0.13, 0.20)  # at most this far from the R peak
QRS_SHARE = (0.040, 0.050)  # of the greatest slope: where a QRS begins and ends
QUIET_S = 0.010  # a slope must stay low for this long
P_MV, T_MV = 0.006, 0.012  # smaller waves are not marked
P_REACH_S = 0.07  # from the peak of P to either end, at most
P_LONGEST_S, P_SHORTEST_S = 0.18, 0.04
P_EVIDENCE = 0.40  # of the energy before QRS that repeats over what does not
ENOUGH_BEATS = 8
P_ALIKE = 0.45  # correlation of one beat's P with the median P
#: What a network moves comes nearer to the leads' middle; the outermost marks of people lie this much further out.
OUTWARD_S = {"p_on": 0.002, "qrs_on": 0.002, "qrs_off": 0.008, "t_off": 0.006}
ENOUGH_LEADS = 3
T_LATEST = 0.48  # seconds after R by the root of the interval: no T ends later
T_LONGEST_S = 0.15  # from the peak of T to its end


@dataclass(frozen=True)
class Marks:
    """The waves of one lead in a shape, relative to the R peak; absent waves are absent."""

    at: dict[str, int]


@dataclass(frozen=True)
class Waves:
    """A shape's waves: per lead, and over all leads together."""

    leads: list[Marks]
    whole: dict[str, int]


def _edge(slope: Row, start: int, stop: int, limit: float, quiet: int) -> int:
    """Return the first place from *start* towards *stop* from which *slope* stays under *limit* for *quiet* samples."""
    step = 1 if stop > start else -1
    path = slope[start:stop:step] if stop >= 0 else slope[start::step]
    low = path < limit
    if path.size <= quiet:
        return start + step * max(0, path.size - 1)
    lasting = np.lib.stride_tricks.sliding_window_view(low, quiet).all(axis=1)
    place = int(np.argmax(lasting)) if lasting.any() else int(np.argmin(path[quiet:])) + quiet
    return start + step * place


def _qrs(slope: Row, before: int, rate: float) -> tuple[int, int]:
    """Return QRS onset and offset on the slope over all leads."""
    near = round(0.06 * rate)
    first, last = before - near, before + near
    top = float(slope[first : last + 1].max())
    noise = float(percentiles(slope[before - round(0.3 * rate) : before + round(0.5 * rate)], 15)[0])
    strong = np.flatnonzero(slope[first : last + 1] > 0.3 * top) + first
    quiet = max(2, round(QUIET_S * rate))
    begin, end = before - round(QRS_REACH_S[0] * rate), before + round(QRS_REACH_S[1] * rate)
    rise, fall = min(int(strong[0]), before), max(int(strong[-1]), before)
    on = _edge(slope, rise, min(begin, rise - 1), noise + QRS_SHARE[0] * (top - noise), quiet)
    off = _edge(slope, fall, max(end, fall + 1), noise + QRS_SHARE[1] * (top - noise), quiet)
    return on, off


def _ends(waves: Millivolts, peaks: Samples, limits: Samples) -> Samples:
    """Return where each row's wave, which peaks at *peaks*, ends before *limits*: the corner of the greatest trapezium.

    The trapezium stands on the steepest point after the peak and on the limit (Vazquez-Seisdedos 2011). A limit before the peak
    asks for the wave's beginning, which is the end of the mirrored wave.
    """
    outward, lengths = np.sign(limits - peaks), np.abs(limits - peaks)
    steps = np.arange(int(lengths.max(initial=0)) + 1)
    rows, last = np.arange(peaks.size), lengths[:, None]
    course = waves[rows[:, None], peaks[:, None] + outward[:, None] * np.minimum(steps, last)]
    falling = np.empty_like(course)
    falling[:, 1:-1] = course[:, 2:] - course[:, :-2]
    falling[:, 0] = 2 * (course[:, 1] - course[:, 0]) if steps.size > 1 else 0.0
    falling[:, -1] = 0.0
    falling *= -np.sign(course[:, 0] - course[rows, lengths])[:, None]
    steep = np.argmax(np.where(steps < np.maximum(3, (2 * last + 2) // 3), falling, -np.inf), axis=1)
    area = np.abs(course[rows, steep, None] - course) * (2 * last - steps - steep[:, None])
    corner = np.argmax(np.where((steps >= steep[:, None]) & (steps <= last), area, -1.0), axis=1)
    ends: Samples = peaks + outward * np.where(lengths < 4, lengths, corner)
    return ends


def _levelled(piece: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Return the rows less the line between the levels of both ends."""
    end, size = max(1, round(0.010 * rate)), piece.shape[-1]
    head, tail = (part.sum(axis=-1, keepdims=True) / part.shape[-1] for part in (piece[..., :end], piece[..., -end:]))
    levelled: NDArray[np.float64] = piece - (head + (tail - head) * (np.arange(size) / max(1, size - 1)))
    return levelled


def delineate(shape: Shape, usable: NDArray[np.bool_], rate: float, before_s: float, after_s: float) -> Waves:
    """Return the waves of *shape*; *before_s* and *after_s* are the usual intervals to the beats around its beats."""
    leads = by_rule(shape, usable, rate, before_s, after_s)
    refine(Surroundings.of(shape, usable, rate, (before_s, after_s)), leads)
    return Waves([Marks(marks) for marks in leads], _whole(leads, rate))


def ventricular(shape: Shape, usable: NDArray[np.bool_], rate: float, before_s: float, after_s: float) -> dict[str, int]:
    """Return what `delineate` says of QRS onset and offset over all leads, in a third of its time."""
    leads = _qrs_by_rule(shape, usable, rate)
    refine(Surroundings.of(shape, usable, rate, (before_s, after_s)), leads)
    return _whole(leads, rate)


def _qrs_by_rule(shape: Shape, usable: NDArray[np.bool_], rate: float) -> list[dict[str, int]]:
    """Return QRS of every usable lead relative to the R peak, one and the same in all, before they are refined."""
    slopes = np.gradient(moving_mean(shape.median[usable], round(0.006 * rate)), axis=1) * rate
    on, off = _qrs(np.sqrt((slopes**2).mean(axis=0)), shape.before, rate)
    return [{"qrs_on": on - shape.before, "qrs_off": off - shape.before} if each else {} for each in usable]


def by_rule(shape: Shape, usable: NDArray[np.bool_], rate: float, before_s: float, after_s: float) -> list[dict[str, int]]:
    """Return the marks of every lead as trapezia and the slope over all leads have them, before they are refined."""
    beat, centre = shape.median, shape.before
    marks = [{name: at + centre for name, at in each.items()} for each in _qrs_by_rule(shape, usable, rate)]
    on, off = next((each["qrs_on"], each["qrs_off"]) for each in marks if each)
    smooth = moving_mean(beat, round(0.020 * rate))
    _mark_t(smooth, marks, (off, after_s), centre, rate)
    _mark_p(smooth, marks, usable, p_search(on, before_s, centre, rate), rate)
    return [{name: place - centre for name, place in each.items()} for each in marks]


def _whole(leads: list[dict[str, int]], rate: float) -> dict[str, int]:
    """Return the places over all leads: the second earliest onset and the second latest offset, as cart makers do."""
    whole = {}
    for name in ("p_on", "p_off", "qrs_on", "qrs_off", "t_on", "t_off"):
        outward = 1 if name.endswith("off") else -1
        places = sorted((outward * marks[name] for marks in leads if name in marks), reverse=True)
        if places:
            allowance = round(OUTWARD_S.get(name, 0.0) * rate) if len(places) >= ENOUGH_LEADS else 0
            whole[name] = outward * (places[min(1, len(places) - 1)] + allowance)
    return whole


def _mark_t(smooth: Millivolts, marks: list[dict[str, int]], end: tuple[int, float], centre: int, rate: float) -> None:
    off, after_s = end
    limit = min(
        smooth.shape[1] - 1, centre + round(min(T_LATEST * np.sqrt(after_s) + 0.04, max(0.25, 0.78 * after_s - 0.04)) * rate)
    )
    first = off + round(0.03 * rate)
    if limit - first < 0.08 * rate:
        return
    whole = smooth[:, first : limit + 1]
    levelled = _levelled(whole, rate)
    level = smooth[:, max(0, centre - round(0.08 * rate)), None]
    low, high = round(0.03 * rate), levelled.shape[1] - round(0.05 * rate)
    if high - low < 3:
        return
    peaks = low + np.argmax(np.abs(levelled + whole - level)[:, low:high], axis=1)
    there = np.abs(levelled[np.arange(peaks.size), peaks]) >= T_MV
    rows = np.flatnonzero(there & np.array([bool(mark) for mark in marks]))
    peaks, longest = first + peaks[rows], round(T_LONGEST_S * rate)
    begin, end = np.maximum(off + 1, peaks - longest), np.minimum(limit, peaks + longest)
    _put(marks, "t", rows, peaks, _ends(smooth[np.tile(rows, 2)], np.tile(peaks, 2), np.concatenate([begin, end])))


def _put(marks: list[dict[str, int]], wave: str, rows: Samples, peaks: Samples, ends: Samples) -> None:
    """Keep a wave's peaks and *ends* (all onsets, then all offsets) among the marks of *rows*."""
    for row, peak, on, off in zip(rows, peaks.tolist(), ends[: rows.size].tolist(), ends[rows.size :].tolist(), strict=True):
        marks[row] |= {f"{wave}_on": on, f"{wave}_peak": peak, f"{wave}_off": off}


def p_search(on: int, before_s: float, centre: int, rate: float) -> tuple[int, int]:
    """Return where P may lie: after the T of the beat before, up to the QRS."""
    earliest = max(-0.42, -before_s + 0.38 * np.sqrt(max(before_s, 0.2)))
    return max(0, centre + round(earliest * rate)), on - round(0.004 * rate)


def _mark_p(
    smooth: Millivolts, marks: list[dict[str, int]], usable: NDArray[np.bool_], search: tuple[int, int], rate: float
) -> None:
    first, last = search
    if last - first < 2 * P_SHORTEST_S * rate:
        return
    levelled = _levelled(smooth[:, first : last + 1], rate)
    together = np.sqrt((levelled[usable] ** 2).mean(axis=0))
    peak = int(np.argmax(together))
    if not 2 <= peak <= together.size - 3:
        return
    reach, slack = round(P_REACH_S * rate), round(0.03 * rate)
    low = max(0, peak - slack)
    near = np.abs(levelled[:, low : peak + slack + 1])
    rows = np.flatnonzero((near.max(axis=1) >= P_MV) & usable)
    peaks = low + np.argmax(near[rows], axis=1)
    begin, end = np.maximum(0, peaks - reach), np.minimum(together.size - 1, peaks + reach)
    ends = _ends(levelled[np.tile(rows, 2)], np.tile(peaks, 2), np.concatenate([begin, end])).reshape(2, -1)
    long = ends[1] - ends[0]
    kept = (long >= P_SHORTEST_S * rate) & (long <= P_LONGEST_S * rate)
    _put(marks, "p", rows[kept], first + peaks[kept], first + ends[:, kept].ravel())


def atrial_evidence(
    values: Millivolts, peaks: Samples, shape: Shape, search: tuple[int, int], usable: NDArray[np.bool_], *, rate: float
) -> tuple[float, NDArray[np.bool_]]:
    """Return how much of what precedes the QRS repeats from beat to beat (energy over residue), and the beats in which it does.

    Fibrillation waves do not repeat; a P wave does. One beat alone proves nothing and gets no evidence.
    """
    first, last = search
    members = shape.members
    if members.size < 2 or last - first < 2 * P_SHORTEST_S * rate:
        return 0.0, np.zeros(members.size, np.bool_)
    width = round(0.020 * rate) | 1
    cut = windows(values[usable], peaks[members] + first - shape.before, width // 2, last - first + 1 + width // 2)
    flat = _levelled(moving_mean(cut, width)[:, :, width // 2 : -(width // 2)], rate)
    middle = median(flat, axis=0)
    residues = ((flat - middle) ** 2).sum(axis=2)
    # Of many beats one restless one may be passed over; of few, none: two P waves in five beats may fall alike by chance.
    residue = (median(residues, axis=0) if members.size >= ENOUGH_BEATS else residues.mean(axis=0)) + 1e-9
    energy = (middle**2).sum(axis=1)
    evidence = np.maximum(0.0, energy - 1.57 * residue / members.size) / residue
    weight = (1 / residue)[:, None]
    norms = np.sqrt((flat**2 * weight).sum(axis=(1, 2)) * (middle**2 * weight).sum()) + 1e-9
    alike = (flat * middle * weight).sum(axis=(1, 2)) / norms
    return float(percentiles(evidence, 75)[0]), alike > P_ALIKE
