"""How an answer is scored against what people marked: one to one, in order, inside the window of ANSI/AAMI EC57."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

WINDOW_S = 0.150


def pairs(marked: np.ndarray, found: np.ndarray, within: float) -> list[tuple[int, int]]:
    """Return the indices of marks and finds that belong together: the nearest first, each used once, at most *within* apart."""
    marked, found = np.asarray(marked), np.asarray(found)
    low = np.searchsorted(found, marked - within)
    high = np.searchsorted(found, marked + within, side="right")
    near = sorted(
        (abs(float(found[j]) - float(marked[i])), i, j) for i in range(marked.size) for j in range(low[i], high[i])
    )  # fmt: skip
    used_marks, used_finds, result = set(), set(), []
    for _, i, j in near:
        if i not in used_marks and j not in used_finds:
            used_marks.add(i)
            used_finds.add(j)
            result.append((i, j))
    return sorted(result)


@dataclass
class Counts:
    """True positives, false positives and misses, summed over recordings."""

    hits: int = 0
    extra: int = 0
    missed: int = 0

    def add(self, marked: np.ndarray, found: np.ndarray, within: float) -> list[tuple[int, int]]:
        """Count one recording and return its pairs."""
        matched = pairs(marked, found, within)
        self.hits += len(matched)
        self.extra += len(found) - len(matched)
        self.missed += len(marked) - len(matched)
        return matched

    @property
    def se(self) -> float:
        """Sensitivity in percent."""
        return 100 * self.hits / max(1, self.hits + self.missed)

    @property
    def ppv(self) -> float:
        """Positive predictive value in percent."""
        return 100 * self.hits / max(1, self.hits + self.extra)

    @property
    def f1(self) -> float:
        """Harmonic mean of both in percent."""
        return 200 * self.hits / max(1, 2 * self.hits + self.extra + self.missed)


@dataclass
class Boundaries:
    """One wave over all leads: whether it is there, and how far its ends lie from the marks (milliseconds, found - marked)."""

    there: Counts = field(default_factory=Counts)
    on_ms: list[float] = field(default_factory=list)
    off_ms: list[float] = field(default_factory=list)

    def add(self, marked: np.ndarray, found: np.ndarray, rate: float) -> None:
        """Count one lead; rows are onset, peak, offset. Found waves outside the marked part are not counted."""
        for j_i in self.there.add(marked[:, 1], found[:, 1], WINDOW_S * rate):
            i, j = j_i
            self.on_ms.append(1000 * float(found[j, 0] - marked[i, 0]) / rate)
            self.off_ms.append(1000 * float(found[j, 2] - marked[i, 2]) / rate)


@dataclass
class Outcomes:
    """One yes or no per recording."""

    tp: int = 0
    fn: int = 0
    fp: int = 0
    tn: int = 0

    def add(self, *, marked: bool, found: bool) -> None:
        """Count one recording."""
        name = ("tp" if found else "fn") if marked else ("fp" if found else "tn")
        setattr(self, name, getattr(self, name) + 1)

    def __str__(self) -> str:
        """Se/Sp/PPV in percent, a dash where there was none to find."""

        def percent(part: int, whole: int) -> str:
            return f"{100 * part / whole:5.1f}" if whole else "    -"

        positive, negative = self.tp + self.fn, self.fp + self.tn
        shares = f"{percent(self.tp, positive)} {percent(self.tn, negative)} {percent(self.tp, self.tp + self.fp)}"
        return f"{self.tp:4d}/{positive:<4d} {self.fp:4d}/{negative:<4d} {shares}"


def _first_marked(rows: np.ndarray, column: int, low: float, high: float) -> float:
    """Return the end in *column* of the wave whose peak lies between *low* and *high*, or NaN."""
    inside = rows[(rows[:, 1] > low) & (rows[:, 1] < high)]
    return float(inside[0, column]) if len(inside) else np.nan


def _second(values: list[float], *, latest: bool) -> float:
    """Return the second earliest or latest over the leads (of one lead that lead's), as cart makers do."""
    known = sorted((value for value in values if not np.isnan(value)), reverse=latest)
    return known[min(1, len(known) - 1)] if known else np.nan


def global_intervals(waves: dict[str, dict[str, np.ndarray]], beats: np.ndarray, rate: float) -> dict[str, float | None]:
    """Return PR, QRS and QT in ms over all leads: every beat's second earliest onset to second latest offset, the median."""
    found: dict[str, list[float]] = {"pr_interval_ms": [], "qrs_duration_ms": [], "qt_interval_ms": []}
    bounds = np.concatenate([[beats[0] - 1.2 * rate], beats, [beats[-1] + 1.2 * rate]])
    for place, beat in enumerate(beats, 1):
        near = WINDOW_S * rate
        before, after = max(bounds[place - 1] + near, beat - 0.45 * rate), min(bounds[place + 1] - near, beat + 0.75 * rate)
        leads = waves.values()
        qrs_on = _second([_first_marked(lead["qrs"], 0, beat - near, beat + near) for lead in leads], latest=False)
        qrs_off = _second([_first_marked(lead["qrs"], 2, beat - near, beat + near) for lead in leads], latest=True)
        p_on = _second([_first_marked(lead["p"], 0, before, beat) for lead in leads], latest=False)
        t_off = _second([_first_marked(lead["t"], 2, beat, after) for lead in leads], latest=True)
        for name, begin, end in zip(found, (p_on, qrs_on, qrs_on), (qrs_on, qrs_off, t_off), strict=True):
            found[name].append(1000 * (end - begin) / rate)
    return {
        name: float(np.nanmedian(values)) if not np.all(np.isnan(values)) else None for name, values in found.items()
    }  # fmt: skip
