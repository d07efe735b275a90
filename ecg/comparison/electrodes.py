"""Limb electrodes that changed places since the previous ECG: undoing the exchange makes today's beat that of last time.

One recording alone hardly tells the left arm from the left leg; beside the same patient's previous one it is plain. Which of
the two was recorded wrongly remains open.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg.analysis import Text
from ecg.comparison.average import AverageBeat
from ecg.measures.placement import ARRANGEMENTS, FRONTAL
from ecg.recording import Millivolts

BEFORE_S, AFTER_S, STEP_S = 0.25, 0.45, 0.004  # of the median beat, around the R peak, P and T within
SHIFTS = range(-6, 7)  # in steps: the R peak lies a little elsewhere once leads have changed places
#: One less the correlation: what undoing an exchange leaves at most, and how many times more there is without.
LEFT_OVER, TIMES = 0.15, 3.0

#: Arrangement -> the electrodes that changed places, and how they are called.
ELECTRODES = {
    "arm-electrodes-swapped": (("RA", "LA"), Text("左右手", "arm")),
    "right-arm-left-leg-swapped": (("RA", "LL"), Text("右手与左腿", "right arm and left leg")),
    "left-arm-left-leg-swapped": (("LA", "LL"), Text("左手与左腿", "left arm and left leg")),
    "limb-electrodes-rotated": (("RA", "LA", "LL"), Text("左右手及左腿", "arm and left leg")),
    "limb-electrodes-rotated-back": (("RA", "LA", "LL"), Text("左右手及左腿", "arm and left leg")),
}


@dataclass(frozen=True)
class Exchange:
    """Electrodes that seem exchanged, and how today's beat correlates with the previous one: *plain*, and with this *undone*."""

    electrodes: tuple[str, ...]
    named: Text
    plain: float
    undone: float

    def sentence(self) -> Text:
        """Say the exchange in both languages."""
        return Text(
            f"与前次心电图相比，{self.named.zh}电极可能互换（本次或前次接错），请核对电极",
            f"The {self.named.en} electrodes seem exchanged since the previous ECG, in this one or in that: check them",
        )

    def as_json(self) -> dict[str, Any]:
        """Return the exchange as the public interface shows it."""
        return {
            "electrodes": list(self.electrodes),
            "text": vars(self.sentence()),
            "correlation": round(self.plain, 3),
            "correlation_undone": round(self.undone, 3),
        }


def exchange(previous: AverageBeat | None, current: AverageBeat | None) -> Exchange | None:
    """Return what of the limb electrodes seems exchanged, None where nothing does or a beat, lead I or lead II is missing."""
    was, now = _frontal(previous), _frontal(current)
    if was is None or now is None:
        return None
    level = was[:, SHIFTS.index(0)]
    alike = {name: _alike(level, np.einsum("ij,jst->ist", turn, now)) for name, turn in ARRANGEMENTS.items()}
    plain = next(iter(alike.values()))
    best = max(alike, key=lambda name: alike[name])
    left = 1 - alike[best]
    if best not in ELECTRODES or left > LEFT_OVER or 1 - plain < TIMES * left:
        return None
    return Exchange(*ELECTRODES[best], plain, alike[best])


def _frontal(beat: AverageBeat | None) -> Millivolts | None:
    """Return the frontal vector (x and y, shifts, samples) around the R peak."""
    if beat is None or not {"I", "II"} <= set(beat.leads):
        return None
    times = np.arange(-round(BEFORE_S / STEP_S), round(AFTER_S / STEP_S) + 1)
    at = (times[None, :] + np.array(SHIFTS)[:, None]) * (STEP_S * beat.rate) + beat.before
    leads = np.stack([np.interp(at, np.arange(beat.leads[name].size), beat.leads[name]) for name in ("I", "II")])
    frontal: Millivolts = np.einsum("ij,jst->ist", FRONTAL, leads)
    return frontal


def _alike(was: Millivolts, now: Millivolts) -> float:
    """Return how *was* (2, samples) correlates with that shift of *now* (2, shifts, samples) which resembles it most."""
    sizes = np.sqrt((was**2).sum() * (now**2).sum(axis=(0, 2))) + 1e-9
    return float((np.einsum("it,ist->s", was, now) / sizes).max())
