"""Whether the chest electrodes sit in their order: the chest leads change from one to the next little by little.

Each exchange of electrodes is scored by how undoing it would put the leads: what each lead usually shows during P, QRS and T,
and how much each resembles its neighbours. The weights are made by ``tests/training/ecg_placement.py``.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.measures.placement import LEADS, Segments
from ecg.processing.network import network

Numbers = NDArray[np.float64]

CHEST = LEADS[2:]
NEARLY_ALIKE = 1.02  # less the correlation of two leads, under the logarithm

#: Which electrodes changed places: none, two neighbours, V1 and V3, all six (the row is reversed) -> the rows that put them back.
ORDERS: dict[tuple[str, ...], tuple[int, ...]] = {
    (): (0, 1, 2, 3, 4, 5),
    ("V1", "V2"): (1, 0, 2, 3, 4, 5),
    ("V2", "V3"): (0, 2, 1, 3, 4, 5),
    ("V3", "V4"): (0, 1, 3, 2, 4, 5),
    ("V4", "V5"): (0, 1, 2, 4, 3, 5),
    ("V5", "V6"): (0, 1, 2, 3, 5, 4),
    ("V1", "V3"): (2, 1, 0, 3, 4, 5),
    CHEST: (5, 4, 3, 2, 1, 0),
}
_ROWS = np.array(list(ORDERS.values()))


def described(found: Segments) -> Numbers:
    """Return (orders, numbers): what speaks for each of `ORDERS`."""
    usual = found.chest.reshape(-1, len(CHEST))[:, _ROWS].swapaxes(0, 1).reshape(len(_ROWS), -1)
    neighbours = found.alike[:, _ROWS[:, :-1], _ROWS[:, 1:]].swapaxes(0, 1).reshape(len(_ROWS), -1)
    return np.concatenate([usual, np.log(NEARLY_ALIKE - neighbours)], axis=1)


def chest_order(found: Segments | None) -> dict[tuple[str, ...], float]:
    """Return how much more speaks for each exchange than for the right order (log odds); nothing where nothing is known."""
    if found is None:
        return {}
    scores = network("placement", "chest")(described(found))[:, 0]
    return {electrodes: float(score) for electrodes, score in zip(ORDERS, scores - scores[0], strict=True) if electrodes}
