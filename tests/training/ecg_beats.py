"""Train the two networks that judge what is a beat, on annotated recordings, and write their weights into the package.

Run as ``PYTHONPATH=.:tests python -m training.ecg_beats`` with TELEMED_TEST_DATA set; with ``--check`` nothing is written and
four-fold figures are printed, each recording (each patient, where several are of one) judged by networks that never saw it.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.ecg_scores import WINDOW_S, Counts, pairs
from benchmarks.ecg_sets import Marked, of_set
from training.weights import Example, fitted, write

from ecg.processing import beats, candidates
from ecg.processing.network import Network
from ecg.processing.preparation import parts
from ecg.recording import Recording, with_limb_leads
from sample_data.ecg_synthesis import KINDS, synthesise

#: Set -> how much one of its beats counts: the sets are of very different sizes.
SETS = {"ludb": 1.0, "cpsc2019": 3.0, "cpsc2021": 2.0, "mitdb": 1.0}
WITHOUT_P = {"atrial fibrillation", "atrial flutter, typical", "pacemaker presence, undefined"}
DISTURBED = 0.3  # how much a beat of a disturbed or thinned-out copy counts
HIDDEN = 16
FOLDS = 4
CHANCE = np.random.default_rng(1)


@dataclass(frozen=True)
class Part:
    """One part of a recording: its tops, which of them are beats, how much each counts."""

    name: str
    patient: str
    original: bool
    tops: candidates.Candidates
    beats: np.ndarray
    weight: np.ndarray


def disturbed(recording: Recording, kind: str) -> Recording:
    """Return *recording* under noise: white all along, or bursts of white ("muscle") or slow ("motion") noise."""
    samples = np.array(recording.millivolts)
    rate, count = recording.sampling_frequency_hz, samples.shape[1]
    size = float(np.median(np.percentile(np.abs(samples - np.median(samples, axis=1, keepdims=True)), 99, axis=1)))
    for lead in samples:
        noise = CHANCE.normal(0, 1, count)
        envelope = np.full(count, CHANCE.uniform(0.03, 0.25)) if kind == "white" else np.zeros(count)
        if kind == "motion":
            noise = np.convolve(noise, np.hanning(int(rate * CHANCE.uniform(0.04, 0.15)) + 2), "same")
            noise /= noise.std()
        for _ in range(0 if kind == "white" else max(1, int(count / rate / 10))):
            begin = int(CHANCE.integers(count))
            envelope[begin : begin + int(rate * CHANCE.uniform(0.5, 4))] = CHANCE.uniform(0.1, 0.6)
        np.add(lead, size * envelope * noise, out=lead)
    return replace(recording, millivolts=samples, resolution_mv=None)


def only(recording: Recording, *rows: int) -> Recording:
    """Return the leads in *rows* alone."""
    kept = recording.millivolts[list(rows)].copy()
    return replace(recording, leads=tuple(recording.leads[row] for row in rows), millivolts=kept, resolution_mv=None)


def blocked(marked: Marked, every: int) -> Marked:
    """Return *marked* with QRS and T of all but one in *every* beats drawn over by a line: P waves stand alone."""
    rate, samples = marked.recording.sampling_frequency_hz, np.array(marked.recording.millivolts)
    gone = np.arange(marked.beats.size) % every != 0
    for beat in marked.beats[gone]:
        first, last = max(0, int(beat - 0.06 * rate)), min(samples.shape[1] - 1, int(beat + 0.48 * rate))
        share = np.linspace(0, 1, last - first + 1)
        samples[:, first : last + 1] = samples[:, first, None] * (1 - share) + samples[:, last, None] * share
    return replace(marked, beats=marked.beats[~gone], recording=replace(marked.recording, millivolts=samples, resolution_mv=None))


def synthetic() -> list[Part]:
    """Return drawn hearts; what reaches half the reference in them is a beat, and nothing else is."""
    found = []
    for kind in KINDS:
        for seed in range(20, 28):
            (part,) = parts(synthesise(kind, seed=seed))
            tops = candidates.candidates(part.transform, part.usable)
            if tops is not None:
                found.append(
                    Part(
                        "synthetic",
                        f"{kind} {seed}",
                        original=True,
                        tops=tops,
                        beats=tops.height > 0.5,
                        weight=np.full(tops.at.size, DISTURBED),
                    )
                )
    return found


def copies(name: str, recording: Recording) -> Iterator[Recording]:
    """Yield *recording* with fewer leads and with noise."""
    leads = len(recording.leads)
    if leads > 1:
        yield from (only(recording, row) for row in range(leads))
    if name == "mitdb":
        yield disturbed(recording, "muscle")
    else:
        some = only(recording, 1, 7) if leads > 7 else recording
        yield from (disturbed(some, kind) for kind in ("white", "muscle", "motion"))


def described(name: str, marked: Marked, recording: Recording, weight: float, *, original: bool) -> Iterator[Part]:
    within = WINDOW_S * recording.sampling_frequency_hz
    patient = f"{name} {marked.name.split('_')[1]}" if name == "cpsc2021" else marked.name
    for part in parts(with_limb_leads(recording)):
        tops = candidates.candidates(part.transform, part.usable) if part.usable.any() else None
        if tops is None:
            continue
        at = part.own(tops.at)
        true = np.zeros(at.size, bool)
        last = part.first + part.work.shape[1] * part.scale
        inside = marked.beats[(marked.beats >= part.first) & (marked.beats < last)]
        true[[place for _, place in pairs(inside, at, within)]] = True
        counts = np.full(at.size, weight)
        if name == "ludb":  # its first and last beats are not marked
            counts[(at < marked.beats[0] - within) | (at > marked.beats[-1] + within)] = 0
        yield Part(name, patient, original, tops, true, counts)


def everything() -> list[Part]:
    found: list[Part] = []
    for name, weight in SETS.items():
        for marked in of_set(name):
            found += described(name, marked, marked.recording, weight, original=True)
            for copy in copies(name, marked.recording):
                found += described(name, marked, copy, DISTURBED * min(weight, 1.5), original=False)
            if name == "ludb" and marked.labels.isdisjoint(WITHOUT_P):
                for every in (2, 3):
                    found += described(name, alone := blocked(marked, every), alone.recording, weight, original=False)
    return found + synthetic()


def trained(taught: list[Part]) -> tuple[Network, Network]:
    """Return both networks; the second is taught with the first one's answers in view."""

    def examples(part: Part, believed: np.ndarray) -> Example:
        return Example(part.tops.described(believed), part.beats.astype(float), part.weight)

    heights = [part.tops.height > beats.FIRST_BELIEF for part in taught]
    first = fitted([examples(part, high) for part, high in zip(taught, heights, strict=True)], HIDDEN)
    answers = [beats.apart(part.tops, first(part.tops.described(high))[:, 0]) for part, high in zip(taught, heights, strict=True)]
    second = fitted([examples(part, answer) for part, answer in zip(taught, answers, strict=True)], HIDDEN)
    return first, second


def check(taught: list[Part]) -> None:
    """Print what networks say of recordings they never saw."""
    counts = {name: Counts() for name in (*SETS, "synthetic")}
    for fold in range(FOLDS):
        unseen = [zlib.crc32(part.patient.encode()) % FOLDS == fold for part in taught]
        networks = trained([part for part, left_out in zip(taught, unseen, strict=True) if not left_out])
        for part, left_out in zip(taught, unseen, strict=True):
            if left_out and part.original:
                found, counted = beats.believed(part.tops, *networks), part.weight > 0
                count = counts[part.name]
                count.hits += int((found & part.beats & counted).sum())
                count.extra += int((found & ~part.beats & counted).sum())
                count.missed += int((~found & part.beats & counted).sum())
    for name, count in counts.items():
        print(f"{name:10s} hits {count.hits:6d} extra {count.extra:4d} missed {count.missed:4d} F1 {count.f1:.2f}")


if __name__ == "__main__":
    data = everything()
    if "--check" in sys.argv[1:]:
        check(data)
    else:
        made_from = {name: len(of_set(name)) for name in SETS}
        write("beats", dict(zip(("first", "second"), trained(data), strict=True)), "training.ecg_beats", made_from)
