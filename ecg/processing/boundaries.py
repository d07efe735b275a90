"""Onsets and offsets found by rule, moved to where cardiologists would put them.

A small network per mark looks at the lead's median beat and at the slope of all leads around the mark, and says by how much it is
to be moved; it is asked twice. Places are samples relative to the R peak and may be fractions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.processing.filters import moving_mean
from ecg.processing.median_beat import Shape
from ecg.processing.network import Network, network
from ecg.recording import Millivolts

Row = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What is looked at around a mark: seconds before, after, and between two looks; and how far it may be moved at once."""

    before_s: float
    after_s: float
    step_s: float
    furthest_s: float


VIEWS = {
    "p_on": View(0.08, 0.08, 0.005, 0.04),
    "p_off": View(0.08, 0.08, 0.005, 0.04),
    "qrs_on": View(0.06, 0.06, 0.004, 0.04),
    "qrs_off": View(0.06, 0.06, 0.004, 0.04),
    "t_on": View(0.12, 0.16, 0.008, 0.06),
    "t_off": View(0.16, 0.12, 0.008, 0.06),
}
SMOOTHED_S = 0.010
ASKED = 2
UNUSUAL = 5.0  # deviations from the mean: what lies further is taken for this
UNIT_S = 0.010  # of a network's answer


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A shape as the networks see it: smoothed leads, log of the slope over all leads, the leads' QRS, the intervals around."""

    leads: Millivolts
    slope: Row
    size: Row
    centre: int
    rate: float
    intervals: tuple[float, float]

    @classmethod
    def of(cls, shape: Shape, usable: NDArray[np.bool_], rate: float, intervals_s: tuple[float, float]) -> "Surroundings":
        """Prepare *shape*; *intervals_s* are the usual ones before and after its beats."""
        leads = moving_mean(shape.median, round(SMOOTHED_S * rate))
        slope = np.sqrt((np.gradient(leads[usable], axis=1) ** 2).mean(axis=0))
        near = slice(shape.before - round(0.06 * rate), shape.before + round(0.06 * rate))
        wide = slice(shape.before - round(0.12 * rate), shape.before + round(0.12 * rate))
        logs = np.log(slope / (slope[near].max() + 1e-9) + 1e-3)
        return cls(leads, logs, np.ptp(shape.median[:, wide], axis=1) + 0.05, shape.before, rate, intervals_s)

    def described(self, mark: str, rows: NDArray[np.intp], at: Row, peaks: Row) -> NDArray[np.float64]:
        """Return (rows, numbers) around *at* in the leads *rows*, whose waves peak at *peaks*."""
        view = VIEWS[mark]
        looks = np.arange(-view.before_s, view.after_s + 1e-9, view.step_s) * self.rate
        places = np.clip(self.centre + at[:, None] + looks, 0, self.leads.shape[1] - 1.001)
        floor_ = places.astype(np.intp)
        part = places - floor_
        beside = rows[:, None]
        wave = self.leads[beside, floor_] * (1 - part) + self.leads[beside, floor_ + 1] * part
        slope = self.slope[floor_] * (1 - part) + self.slope[floor_ + 1] * part
        scale = np.ptp(wave, axis=1) + 0.02
        wave = (wave - wave.mean(axis=1, keepdims=True)) / scale[:, None]
        quarter = looks.size // 4
        side = wave[:, :quarter] if mark.endswith("off") else wave[:, -quarter:]
        upright = np.where(side.mean(axis=1) < 0, -1.0, 1.0)
        before_s, after_s = self.intervals
        return np.column_stack([
            wave * upright[:, None], slope, np.log(scale), (at - np.median(at)) / self.rate, (peaks - at) / self.rate,
            np.log(scale / self.size[rows]), np.full(rows.size, np.log(before_s)), np.full(rows.size, np.log(after_s)),
        ])  # fmt: skip


def moved(surroundings: Surroundings, mark: str, rows: NDArray[np.intp], at: Row, peaks: Row, *, by: Network) -> Row:
    """Return *at* as *by* would have it after being asked `ASKED` times."""
    furthest = VIEWS[mark].furthest_s
    for _ in range(ASKED):
        answer = by(surroundings.described(mark, rows, at, peaks), UNUSUAL)[:, 0]
        at = at + np.clip(answer * UNIT_S, -furthest, furthest) * surroundings.rate
    return at


def refine(surroundings: Surroundings, leads: list[dict[str, int]]) -> None:
    """Move the marks of every lead, samples relative to the R peak, in place; a wave keeps its order."""
    found: list[dict[str, int]] = [{} for _ in leads]
    for mark in VIEWS:
        wave = mark.split("_")[0]
        rows = np.array([row for row, marks in enumerate(leads) if mark in marks], np.intp)
        if not rows.size:
            continue
        at = np.array([leads[row][mark] for row in rows], float)
        peaks = np.array([leads[row].get(f"{wave}_peak", 0) for row in rows], float)
        places = moved(surroundings, mark, rows, at, peaks, by=network("boundaries", mark))
        for row, place in zip(rows, np.rint(places).astype(int).tolist(), strict=True):
            found[row][mark] = place
    last = surroundings.leads.shape[1] - 1 - surroundings.centre
    for marks, new in zip(leads, found, strict=True):
        for wave in ("p", "qrs", "t"):
            on, off = new.get(f"{wave}_on"), new.get(f"{wave}_off")
            if on is None or off is None:
                continue
            if -surroundings.centre <= on < marks.get(f"{wave}_peak", 0) < off <= last:
                marks[f"{wave}_on"], marks[f"{wave}_off"] = on, off
        if "p_off" in marks:
            marks["p_off"] = max(marks["p_peak"] + 1, min(marks["p_off"], marks["qrs_on"]))
        if "t_on" in marks:
            marks["t_on"] = min(marks["t_peak"] - 1, max(marks["t_on"], marks["qrs_off"]))
