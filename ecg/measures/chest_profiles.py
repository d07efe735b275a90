"""What the six chest leads show side by side, V1 to V6: the row of numbers that each quantity makes of them.

A row has a usual course along the chest (R grows, S fades, T turns) and is smooth; exchanged electrodes break both.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

AFTER_S = 0.30  # of ST and T, behind the QRS
QRS_PLACES, AFTER_PLACES, P_PLACES = 6, 5, 3
#: The height of R and the depth of S, both together, their balance, the share of Q, how late the slopes lie; then the waves,
#: place by place.
QUANTITIES = (
    "r", "s", "size", "balance", "q", "lateness",
    *(f"qrs-{place + 1}" for place in range(QRS_PLACES)),
    "t-size",
    *(f"after-{place + 1}" for place in range(AFTER_PLACES)),
    *(f"p-{place + 1}" for place in range(P_PLACES)),
)  # fmt: skip
#: QRS, and ST and T, place by place once more, each lead measured by what it shows itself: its scale is of no matter.
OWN_QUANTITIES = (
    *(f"own-qrs-{place + 1}" for place in range(QRS_PLACES)),
    *(f"own-after-{place + 1}" for place in range(AFTER_PLACES)),
)
SMALL_MV, SMALL_P_MV = 0.02, 0.01  # added to sizes, so that noise where a wave is nearly absent counts little


def profiles(qrs: Numbers, after: Numbers, p: Numbers, rate: float) -> Numbers:
    """Return (`QUANTITIES` and `OWN_QUANTITIES`, leads) of (leads, samples) in mV over the level before the QRS.

    *qrs* are its samples, *after* `AFTER_S` from its end, *p* those of the P wave (fewer than three: none). Voltages are
    measured by what all six leads show together; the logarithms of sizes and the lateness (s) are told from the middle lead.
    The rows of P are 0 without P.
    """
    high, deep = np.maximum(qrs.max(axis=1), 0), np.maximum(-qrs.min(axis=1), 0)
    before_r = np.arange(qrs.shape[1]) < qrs.argmax(axis=1)[:, None]
    whole, sloping = high + deep + SMALL_MV, np.diff(qrs, axis=1) ** 2
    late = sloping @ np.arange(sloping.shape[1]) / (sloping.sum(axis=1) + 1e-9) / rate
    size, t_size = np.log(whole), np.log(np.abs(after).max(axis=1) + SMALL_MV)
    unit = _size(qrs) + SMALL_MV
    qrs_places, after_places = _places(qrs, QRS_PLACES + 2).T[1:-1], _places(after, AFTER_PLACES + 1).T[1:]
    return np.stack(
        [
            high / unit,
            deep / unit,
            size - size.mean(),
            (high - deep) / whole,
            -np.where(before_r, qrs, 0).min(axis=1) / whole,
            late - late.mean(),
            *qrs_places / unit,
            t_size - t_size.mean(),
            *after_places / (_size(after) + SMALL_MV),
            *_of_p(p),
            *qrs_places / (np.sqrt((qrs**2).mean(axis=1)) + SMALL_MV),
            *after_places / (np.sqrt((after**2).mean(axis=1)) + SMALL_MV),
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
