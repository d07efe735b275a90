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
from ecg.processing.order import median
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
WAVES = ("p", "qrs", "t")  # the two marks of one wave are looked at in one go: as many looks, moved as far
_LOOKS = {
    wave: [np.arange(-view.before_s, view.after_s + 1e-9, view.step_s) for view in (VIEWS[f"{wave}_on"], VIEWS[f"{wave}_off"])]
    for wave in WAVES
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

    def described(self, wave: str, rows: NDArray[np.intp], at: Row, peaks: Row) -> NDArray[np.float64]:
        """Return (2, rows, numbers): what is seen around *at*, (2, rows), of the onsets and offsets of *wave*.

        The leads are *rows*, their waves peak at *peaks*.
        """
        looks = np.array(_LOOKS[wave]) * self.rate
        places = np.minimum(np.maximum(self.centre + at[:, :, None] + looks[:, None], 0), self.leads.shape[1] - 1.001)
        floor_ = places.astype(np.intp)
        part = places - floor_
        of_lead = floor_ + (rows * self.leads.shape[1])[:, None]
        flat = self.leads.ravel()
        seen, after = flat[of_lead], flat[of_lead + 1]
        seen += (after - seen) * part
        slope, after = self.slope[floor_], self.slope[floor_ + 1]
        slope += (after - slope) * part
        scale = seen.max(axis=2) - seen.min(axis=2) + 0.02
        seen = (seen - seen.sum(axis=2, keepdims=True) / looks.shape[1]) / scale[:, :, None]
        quarter = looks.shape[1] // 4
        side = seen[0, :, -quarter:].sum(axis=1), seen[1, :, :quarter].sum(axis=1)
        upright = np.where(np.array(side) < 0, -1.0, 1.0)
        alone = np.empty((*at.shape, 6))
        alone[:, :, 0] = np.log(scale)
        alone[:, :, 1] = (at - median(at)[:, None]) / self.rate
        alone[:, :, 2] = (peaks - at) / self.rate
        alone[:, :, 3] = np.log(scale / self.size[rows])
        alone[:, :, 4:] = np.log(self.intervals)
        return np.concatenate([seen * upright[:, :, None], slope, alone], axis=2)


def moved(surroundings: Surroundings, wave: str, rows: NDArray[np.intp], at: Row, peaks: Row, *, by: Network) -> Row:
    """Return *at*, (2, rows) of onsets and offsets, as *by* would have it after being asked `ASKED` times."""
    furthest = VIEWS[f"{wave}_on"].furthest_s
    for _ in range(ASKED):
        answer = by(surroundings.described(wave, rows, at, peaks), UNUSUAL)[:, :, 0]
        at = at + np.clip(answer * UNIT_S, -furthest, furthest) * surroundings.rate
    return at


def refine(surroundings: Surroundings, leads: list[dict[str, int]]) -> None:
    """Move the marks of every lead, samples relative to the R peak, in place; a wave keeps its order."""
    last = surroundings.leads.shape[1] - 1 - surroundings.centre
    for wave in WAVES:
        on, peak, off = f"{wave}_on", f"{wave}_peak", f"{wave}_off"
        rows = np.array([row for row, marks in enumerate(leads) if on in marks], np.intp)
        if not rows.size:
            continue
        known = np.array([[leads[row][on], leads[row][off], leads[row].get(peak, 0)] for row in rows], float).T
        places = moved(surroundings, wave, rows, known[:2], known[2], by=network("boundaries", on, off))
        for row, begin, end in zip(rows, *np.rint(places).astype(int).tolist(), strict=True):
            if -surroundings.centre <= begin < leads[row].get(peak, 0) < end <= last:
                leads[row] |= {on: begin, off: end}
    for marks in leads:
        if "p_off" in marks:
            marks["p_off"] = max(marks["p_peak"] + 1, min(marks["p_off"], marks["qrs_on"]))
        if "t_on" in marks:
            marks["t_on"] = min(marks["t_peak"] - 1, max(marks["t_on"], marks["qrs_off"]))
