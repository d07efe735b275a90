"""Whether the chest electrodes sit in their order: the chest leads change from one to the next little by little.

Each exchange of electrodes is scored by how undoing it would put the leads: how usual the row is that each of
`ecg.measures.chest_profiles` then makes. The weights are made by ``tests/training/ecg_placement.py``.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.measures.chest_profiles import OWN_QUANTITIES, QUANTITIES
from ecg.measures.placement import LEADS, Segments
from ecg.processing.network import Network, network

Numbers = NDArray[np.float64]

CHEST = LEADS[2:]
FREEDOM = 4.0  # of Student's distribution: a row far off the usual course speaks only so much
#: Whether the leads' voltages can be compared -> the quantities whose rows are judged.
COMPARABLE, STRETCHED = "comparable", "stretched"
JUDGED_BY = {COMPARABLE: QUANTITIES, STRETCHED: (*QUANTITIES, *OWN_QUANTITIES)}

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


def described(profiles: Numbers, usual: Network) -> Numbers:
    """Return (orders, quantities): the logarithm of how often a row such as each of `ORDERS` makes of *profiles* is met.

    *usual* takes the row of each quantity it knows, the first of *profiles*, to what is usual: as many numbers, independent and
    of variance 1.
    """
    unusual = (usual(profiles[: len(usual.mean), _ROWS]) ** 2).sum(axis=-1).T
    met: Numbers = -(FREEDOM + len(CHEST)) / 2 * np.log1p(unusual / FREEDOM)
    return met


def chest_order(found: Segments | None) -> dict[tuple[str, ...], float]:
    """Return how much more speaks for each exchange than for the right order (log odds); nothing where nothing is known."""
    if found is None:
        return {}
    kind = STRETCHED if found.stretched else COMPARABLE
    usual = network("chest_order", *(f"{kind} {quantity}" for quantity in JUDGED_BY[kind]))
    scores = network("chest_order", kind)(described(found.profiles, usual))[:, 0]
    return {electrodes: float(score) for electrodes, score in zip(ORDERS, scores - scores[0], strict=True) if electrodes}
