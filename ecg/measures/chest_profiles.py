"""What the six chest leads show side by side, V1 to V6: the row of numbers that each quantity makes of them.

A row has a usual course along the chest (R grows, S fades, T turns) and is smooth; exchanged electrodes break both.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

AFTER_S = 0.30  # of ST and T, behind the QRS
QRS_PLACES, AFTER_PLACES, P_PLACES = 6, 5, 3
#: The height of R and the depth of S, both together, their balance, how late the slopes lie; then the waves, place by place.
QUANTITIES = (
    "r", "s", "size", "balance", "lateness",
    *(f"qrs-{place + 1}" for place in range(QRS_PLACES)),
    "t-size",
    *(f"after-{place + 1}" for place in range(AFTER_PLACES)),
    *(f"p-{place + 1}" for place in range(P_PLACES)),
)  # fmt: skip
P_ROWS = slice(len(QUANTITIES) - P_PLACES, None)
SMALL_MV, SMALL_P_MV = 0.02, 0.01  # added to sizes, so that noise where a wave is nearly absent counts little


def profiles(qrs: Numbers, after: Numbers, p: Numbers, rate: float) -> Numbers:
    """Return (`QUANTITIES`, leads) of (leads, samples) in mV over the level before the QRS; the rows of P are 0 without P.

    *qrs* are its samples, *after* `AFTER_S` from its end, *p* those of the P wave (fewer than three: none). Voltages are
    measured by what all six leads show together; the logarithms of sizes and the lateness (s) are told from the middle lead.
    """
    high, deep = np.maximum(qrs.max(axis=1), 0), np.maximum(-qrs.min(axis=1), 0)
    whole, sloping = high + deep + SMALL_MV, np.diff(qrs, axis=1) ** 2
    late = sloping @ np.arange(sloping.shape[1]) / (sloping.sum(axis=1) + 1e-9) / rate
    size, t_size = np.log(whole), np.log(np.abs(after).max(axis=1) + SMALL_MV)
    unit = _size(qrs) + SMALL_MV
    return np.stack(
        [
            high / unit,
            deep / unit,
            size - size.mean(),
            (high - deep) / whole,
            late - late.mean(),
            *_places(qrs, QRS_PLACES + 2).T[1:-1] / unit,
            t_size - t_size.mean(),
            *_places(after, AFTER_PLACES + 1).T[1:] / (_size(after) + SMALL_MV),
            *_of_p(p),
        ]
    )


def _of_p(p: Numbers) -> Numbers:
    """Return the P wave above the line from its beginning to its end."""
    if p.shape[1] < P_PLACES:
        return np.zeros((P_PLACES, p.shape[0]))
    rising = np.linspace(0, 1, p.shape[1])
    above = p - p[:, :1] * (1 - rising) - p[:, -1:] * rising
    shown: Numbers = _places(above, P_PLACES + 2).T[1:-1] / (_size(above) + SMALL_P_MV)
    return shown


def _size(leads: Numbers) -> float:
    """Return the root of the mean square of all leads."""
    return float(np.sqrt((leads**2).mean()))


def _places(leads: Numbers, count: int) -> Numbers:
    """Return (leads, count): *leads* at places spread evenly from the first to the last sample."""
    place = np.linspace(0, leads.shape[1] - 1, count)
    low = np.minimum(place.astype(np.intp), leads.shape[1] - 2)
    share = place - low
    values: Numbers = leads[:, low] * (1 - share) + leads[:, low + 1] * share
    return values
