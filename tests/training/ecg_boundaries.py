"""Train the networks that move onsets and offsets to where cardiologists put them; write their weights into the package.

Run as ``PYTHONPATH=.:tests python -m training.ecg_boundaries`` with TELEMED_TEST_DATA set; with ``--check`` nothing is written
and four-fold figures are printed, each recording judged by networks that never saw it.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass

import numpy as np
from benchmarks.ecg_sets import LEADS, Marked, of_set
from training.weights import Example, fitted, write

from ecg.processing import beats, boundaries, delineation, median_beat
from ecg.processing.boundaries import UNIT_S, UNUSUAL, VIEWS, Surroundings
from ecg.processing.network import Network
from ecg.processing.preparation import parts

HIDDEN, ALPHA, ROUNDS = 16, 3.0, 60
COPIES, SHAKEN_S = 6, 0.008  # times every mark is shown from another place, this far off
FOLDS = 4
SIDES = ("on", "off")
CHANCE = np.random.default_rng(1)
#: Where a wave's peak lies from the R peak, in seconds.
SPANS = {"p": (-0.36, 0.0), "qrs": (-0.15, 0.15), "t": (0.0, 0.6)}


@dataclass(frozen=True)
class Lesson:
    """One mark of one shape: the leads, where the rule and where the cardiologists have it, and the waves' peaks."""

    name: str
    mark: str
    surroundings: Surroundings
    rows: np.ndarray
    ruled: np.ndarray
    marked: np.ndarray
    peaks: np.ndarray
    beats: int


def marked_at(marked: Marked, lead: str, mark: str, peaks: np.ndarray, rate: float) -> float:
    """Return the median place of *mark* from the R peaks of a shape's beats, or NaN."""
    wave, side = mark.split("_")
    rows, places = marked.waves[lead][wave], []
    for peak in peaks:
        near = rows[(rows[:, 1] - peak > SPANS[wave][0] * rate) & (rows[:, 1] - peak < SPANS[wave][1] * rate)]
        if len(near):
            places.append((near[-1] if wave == "p" else near[0])[0 if side == "on" else 2] - peak)
    return float(np.nanmedian(places)) if np.isfinite(places).any() else np.nan


def lessons(marked: Marked) -> list[Lesson]:
    (part,) = parts(marked.recording)
    usable, rate = part.usable, part.rate
    signal = part.transform.beating
    peaks = beats.aligned(signal, beats.detect(part.transform, usable), usable, rate)
    peaks, shape_of = median_beat.realigned(signal[usable], peaks, rate)
    gaps = np.diff(peaks) / rate
    result = []
    for shape in median_beat.shapes(signal, peaks, shape_of, rate):
        around = [
            float(np.median(np.concatenate([gaps, gaps[:1]])[np.clip(shape.members + shift, 0, gaps.size - 1)]))
            for shift in (-1, 0)
        ]
        leads = delineation.by_rule(shape, usable, rate, *around)
        surroundings = Surroundings.of(shape, usable, rate, (around[0], around[1]))
        for mark in VIEWS:
            truth = np.array([marked_at(marked, lead, mark, peaks[shape.members], rate) for lead in LEADS])
            rows = np.array([row for row in range(len(LEADS)) if mark in leads[row] and np.isfinite(truth[row])], np.intp)
            if rows.size:
                tops = np.array([leads[row].get(f"{mark.split('_')[0]}_peak", 0) for row in rows], float)
                ruled = np.array([leads[row][mark] for row in rows], float)
                result.append(Lesson(marked.name, mark, surroundings, rows, ruled, truth[rows], tops, shape.members.size))
    return result


def trained(taught: list[Lesson], mark: str) -> Network:
    furthest = VIEWS[mark].furthest_s / UNIT_S
    examples = []
    for lesson in taught:
        rate = lesson.surroundings.rate
        for copy in range(COPIES):
            shake = CHANCE.normal(0, SHAKEN_S, lesson.rows.size) + CHANCE.normal(0, SHAKEN_S) if copy else 0.0
            at = lesson.ruled + shake * rate
            answer = (lesson.marked - at) / rate / UNIT_S
            wave, side = mark.split("_")
            inputs = lesson.surroundings.described(wave, lesson.rows, np.stack([at, at]), lesson.peaks)[SIDES.index(side)]
            weight = np.where(np.abs(answer) < 1.5 * furthest, min(3, lesson.beats) / 3, 0.0)
            examples.append(Example(inputs, np.clip(answer, -furthest, furthest), weight))
    return fitted(examples, HIDDEN, alpha=ALPHA, rounds=ROUNDS, furthest=UNUSUAL, numbers=True)


def check(taught: list[Lesson]) -> None:
    """Print how far ruled and moved marks lie from the cardiologists' in recordings the networks never saw."""
    for mark in VIEWS:
        ruled, moved = [], []
        mine = [lesson for lesson in taught if lesson.mark == mark]
        for fold in range(FOLDS):
            unseen = [zlib.crc32(lesson.name.encode()) % FOLDS == fold for lesson in mine]
            by = trained([lesson for lesson, left_out in zip(mine, unseen, strict=True) if not left_out], mark)
            for lesson, left_out in zip(mine, unseen, strict=True):
                if left_out:
                    wave, side = mark.split("_")
                    both = np.stack([lesson.ruled, lesson.ruled]), lesson.peaks
                    at = boundaries.moved(lesson.surroundings, wave, lesson.rows, *both, by=by)[SIDES.index(side)]
                    rate = lesson.surroundings.rate
                    ruled += [*np.repeat(1000 * (lesson.ruled - lesson.marked) / rate, lesson.beats)]
                    moved += [*np.repeat(1000 * (at - lesson.marked) / rate, lesson.beats)]
        before, after = (np.array([each for each in values if abs(each) < 150]) for values in (ruled, moved))
        print(f"{mark:8s} {before.mean():+6.1f}+-{before.std():4.1f} -> {after.mean():+6.1f}+-{after.std():4.1f} ms")


if __name__ == "__main__":
    records = of_set("ludb")
    data = [lesson for marked in records for lesson in lessons(marked)]
    if "--check" in sys.argv[1:]:
        check(data)
    else:
        networks = {mark: trained([lesson for lesson in data if lesson.mark == mark], mark) for mark in VIEWS}
        write("boundaries", networks, "training.ecg_boundaries", {"ludb": len(records)})
