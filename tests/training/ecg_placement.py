"""Train what tells swapped electrodes, on recordings whose electrodes sit right, and write the weights into the package.

Run as ``PYTHONPATH=.:tests python -m training.ecg_placement`` with TELEMED_TEST_DATA set; with ``--check`` nothing is written and
five-fold figures are printed, each recording judged by weights that never saw it. The swaps are exact: they turn the limb leads
and change the order of the chest leads.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass

import numpy as np
from benchmarks.ecg_sets import of_set
from scipy.optimize import minimize
from training.weights import write

from ecg.criteria.electrodes import CHEST_ODDS, told
from ecg.measures.chest_order import CHEST, ORDERS
from ecg.measures.chest_order import described as of_chest
from ecg.measures.placement import ARRANGEMENTS, Segments, described
from ecg.pipeline import found_in
from ecg.processing.network import Network
from ecg.processing.preparation import parts
from ecg.recording import with_limb_leads

SETS = ("ludb", "cinc2021")
RIDGE = 10.0  # holds the map from chest to limbs small
SMALL, CHEST_SMALL = 0.1, 3.0  # hold the weights of what speaks for an arrangement, and for an order, small
FOLDS, INNER = 5, 4
TURNS = np.stack(list(ARRANGEMENTS.values()))


@dataclass(frozen=True)
class Heart:
    """One recording: its segments, and whether its ventricles are reached the usual way."""

    name: str
    found: Segments
    conducted: bool


def hearts() -> list[Heart]:
    result = []
    for marked in (marked for name in SETS for marked in of_set(name)):
        recording = with_limb_leads(marked.recording)
        found = found_in(recording, next(parts(recording))).segments
        if found is not None:
            result.append(Heart(marked.name, found, conducted=not any("pacemaker" in label for label in marked.labels)))
    return result


def _stacked(some: list[Heart]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([heart.found.limb for heart in some]), np.stack([heart.found.chest for heart in some])


def frontal(taught: list[Heart]) -> Network:
    """Return the map from the chest leads to the frontal vectors, by ridge regression."""
    limb, chest = _stacked(taught)
    inputs = np.column_stack([chest, np.ones(len(chest))])
    weights = np.linalg.solve(
        inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1]), inputs.T @ limb.reshape(len(limb), -1)
    )  # fmt: skip
    size = chest.shape[1]
    return Network(np.zeros(size), np.ones(size), ((weights[:-1], weights[-1]),))


def foretold(by: Network, some: list[Heart]) -> np.ndarray:
    limb, chest = _stacked(some)
    return by(chest).reshape(limb.shape)


def plausible(taught: list[Heart]) -> Network:
    """Return the weights under which the right arrangement is the likeliest (conditional logit), maps being asked of others."""
    differences = []
    for fold in range(INNER):
        asked = taught[fold::INNER]
        by = frontal([heart for place, heart in enumerate(taught) if place % INNER != fold])
        limb, expected = _stacked(asked)[0], foretold(by, asked)
        seen = described(limb[:, None] @ TURNS.swapaxes(1, 2), expected[:, None])
        differences.append(seen[:, :1] - seen[:, 1:])
    return likeliest(np.concatenate(differences), SMALL)


def orderly(taught: list[Heart]) -> Network:
    """Return the weights under which the right order of the chest leads is the likeliest."""
    seen = np.stack([of_chest(heart.found) for heart in taught])
    return likeliest(seen[:, :1] - seen[:, 1:], CHEST_SMALL)


def likeliest(differing: np.ndarray, small: float) -> Network:
    """Return the weights of a conditional logit from what speaks for the right choice less what for each other."""
    deviation = differing.reshape(-1, differing.shape[2]).std(axis=0) + 1e-6
    differing = differing / deviation

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        against = np.exp(-differing @ weights)
        whole = 1 + against.sum(axis=1)
        slope = -((against / whole[:, None])[:, :, None] * differing).sum(axis=(0, 1))
        return float(np.log(whole).sum() + small * weights @ weights), slope + 2 * small * weights

    weights = minimize(loss, np.zeros(differing.shape[2]), jac=True, method="L-BFGS-B").x
    return Network(np.zeros(weights.size), deviation, ((weights[:, None], np.zeros(1)),))


def check(all_hearts: list[Heart]) -> None:
    """Print what is said of hearts the weights never saw, under every arrangement."""
    said: dict[str, list[str | None]] = {name: [] for name in ARRANGEMENTS}
    for fold in range(FOLDS):
        unseen = [zlib.crc32(heart.name.encode()) % FOLDS == fold for heart in all_hearts]
        taught = [heart for heart, left_out in zip(all_hearts, unseen, strict=True) if not left_out]
        asked = [heart for heart, left_out in zip(all_hearts, unseen, strict=True) if left_out and heart.conducted]
        by, weights = frontal(taught), plausible(taught)
        for heart, expected in zip(asked, foretold(by, asked), strict=True):
            for name, undo in ARRANGEMENTS.items():
                recorded = heart.found.limb @ np.linalg.inv(undo).T
                scores = weights(described(recorded @ TURNS.swapaxes(1, 2), expected))[:, 0]
                said[name].append(told(dict(zip(ARRANGEMENTS, scores - scores[0], strict=True))))
    for name, hints in said.items():
        noticed, named = (
            sum(hint is not None for hint in hints),
            sum((hint or "") == name.removesuffix("-back") for hint in hints),
        )
        print(f"{name:30s} hint in {noticed}, named in {named} of {len(hints)}")


def check_chest(all_hearts: list[Heart]) -> None:
    """Print what is said of the chest of hearts the weights never saw, in every order."""
    margins: dict[tuple[str, ...], list[tuple[float, bool]]] = {electrodes: [] for electrodes in ORDERS}
    for fold in range(FOLDS):
        unseen = [zlib.crc32(heart.name.encode()) % FOLDS == fold for heart in all_hearts]
        weights = orderly([heart for heart, left_out in zip(all_hearts, unseen, strict=True) if not left_out])
        for heart in (heart for heart, left_out in zip(all_hearts, unseen, strict=True) if left_out and heart.conducted):
            for electrodes, rows in ORDERS.items():
                scores = weights(of_chest(exchanged(heart.found, rows)))[:, 0]
                best = int(scores.argmax())
                margins[electrodes].append((float(scores[1:].max() - scores[0]), list(ORDERS)[best] == electrodes))
    for electrodes, found in margins.items():
        noticed = [right for margin, right in found if margin > CHEST_ODDS]
        print(f"{'-'.join(electrodes) or 'as it should be':30s} hint in {len(noticed)}, named in {sum(noticed)} of {len(found)}")
    print("log odds of the right order's worst:", np.round(sorted(margin for margin, _ in margins[()])[-8:], 2))


def exchanged(found: Segments, rows: tuple[int, ...]) -> Segments:
    """Return *found* with the chest leads in another order."""
    chest = found.chest.reshape(-1, len(CHEST))[:, rows]
    return found._replace(chest=chest.ravel(), alike=found.alike[:, rows][:, :, rows])


if __name__ == "__main__":
    data = hearts()
    if "--check" in sys.argv[1:]:
        check(data)
        check_chest(data)
    else:
        made_from = {name: len(of_set(name)) for name in SETS}
        networks = {"frontal": frontal(data), "plausible": plausible(data), "chest": orderly(data)}
        write("placement", networks, "training.ecg_placement", made_from)
