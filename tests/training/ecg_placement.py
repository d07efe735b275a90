"""Train what tells swapped electrodes, on recordings whose electrodes sit right, and write the weights into the package.

Run as ``PYTHONPATH=.:tests python -m training.ecg_placement`` with TELEMED_TEST_DATA set; with ``--check`` nothing is written and
ten-fold figures are printed for three ways of dividing the patients, each recording judged by weights that never saw its
patient; then LUDB judged by weights made from CinC 2021 and the other way around, and recordings of no set; CinC 2021 and
those of no set once more with their leads stretched. The swaps are exact: they turn the limb leads and change the order of the
chest leads.

LUDB is there twice, as stored and as its headers stretch it (`benchmarks.ecg_sets.as_stored`). Limbs are learnt from both;
the chest from one of them for leads whose voltages can be compared, and from the other for leads where they cannot.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.ecg_sets import Marked, apart, as_stored, of_set
from scipy.optimize import minimize
from training.weights import write

from ecg.criteria.electrodes import CHEST_ODDS, told
from ecg.measures.chest_order import COMPARABLE, FREEDOM, JUDGED_BY, ORDERS, STRETCHED
from ecg.measures.chest_order import described as of_chest
from ecg.measures.placement import ARRANGEMENTS, Segments, described
from ecg.pipeline import found_in
from ecg.processing.network import Network
from ecg.processing.preparation import parts
from ecg.recording import with_limb_leads

RIDGE = 3.0  # holds the map from chest to limbs small
#: They hold the weights of what speaks for an arrangement, and for an order, small.
SMALL, CHEST_SMALL = 5.0, {COMPARABLE: 1.0, STRETCHED: 0.5}
ROUND = 0.05  # of the mean variance, added to each: no course along the chest is known exactly
ROUNDS = 12  # of fitting Student's distribution
#: Fibrillation and flutter of the atria as LUDB words them, and by SNOMED CT.
FIBRILLATION = ("atrial fibrillation", "atrial flutter", "164889003", "164890007")
SPLITS, FOLDS, INNER = 3, 10, 5
TURNS = np.stack(list(ARRANGEMENTS.values()))


@dataclass(frozen=True)
class Heart:
    """One recording: whose and of which set, its segments, and whether its ventricles and its atria are reached the usual way."""

    name: str
    origin: str
    found: Segments
    conducted: bool
    fibrillating: bool


def hearts(origin: str, records: Sequence[Marked]) -> list[Heart]:
    result = []
    for marked in records:
        recording = with_limb_leads(marked.recording)
        found = found_in(recording, next(parts(recording))).segments
        if found is not None:
            conducted = not any("pacemaker" in label for label in marked.labels)
            fibrillating = any(label.startswith(FIBRILLATION) for label in marked.labels)
            result.append(Heart(marked.name, origin, found, conducted, fibrillating))
    return result


def stretched(marked: Marked) -> Marked:
    """Return *marked* with every lead 1 mV high from lowest to highest, as the headers of LUDB have it."""
    recording = with_limb_leads(marked.recording)
    height = np.nanmax(recording.millivolts, axis=1, keepdims=True) - np.nanmin(recording.millivolts, axis=1, keepdims=True)
    return replace(marked, recording=replace(recording, millivolts=recording.millivolts / height, resolution_mv=None))


def _stacked(some: list[Heart]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([heart.found.limb for heart in some]), np.stack([heart.found.chest for heart in some])


def fold_of(heart: Heart, folds: int, split: int = 0) -> int:
    """Return to which part of the patients *heart* belongs."""
    return zlib.crc32(f"{split} {heart.name}".encode()) % folds


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
        asked = [heart for heart in taught if fold_of(heart, INNER) == fold]
        by = frontal([heart for heart in taught if fold_of(heart, INNER) != fold])
        limb, expected = _stacked(asked)[0], foretold(by, asked)
        seen = described(limb[:, None] @ TURNS.swapaxes(1, 2), expected[:, None])
        differences.append(seen[:, :1] - seen[:, 1:])
    return likeliest(np.concatenate(differences), SMALL)


def student(rows: np.ndarray) -> Network:
    """Return what takes *rows* (hearts, leads), met as Student's t has it, to independent numbers of variance 1."""

    def centre_and_scatter(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centre = weights @ rows / weights.sum()
        off = rows - centre
        scatter = (weights[:, None] * off).T @ off / len(rows)
        return centre, scatter + ROUND * np.trace(scatter) / len(scatter) * np.eye(len(scatter))

    centre, scatter = centre_and_scatter(np.ones(len(rows)))
    for _ in range(ROUNDS):
        unusual = np.einsum("ni,ij,nj->n", rows - centre, np.linalg.inv(scatter), rows - centre)
        centre, scatter = centre_and_scatter((FREEDOM + rows.shape[1]) / (FREEDOM + unusual))
    return Network(centre, np.ones(centre.size), ((np.linalg.cholesky(np.linalg.inv(scatter)), np.zeros(centre.size)),))


def usual(taught: list[Heart], kind: str) -> list[Network]:
    """Return for each quantity that judges *kind* what its row is usually like; hearts without P wave teach nothing of it."""
    profiles = np.stack([heart.found.profiles[: len(JUDGED_BY[kind])] for heart in taught], axis=1)
    return [student(rows[np.any(rows != 0, axis=1)]) for rows in profiles]


def orderly(taught: list[Heart], kind: str) -> Network:
    """Return the weights under which the right order of the chest leads is the likeliest, what is usual being asked of others."""
    seen = []
    for fold in range(INNER):
        by = Network.together(usual([heart for heart in taught if fold_of(heart, INNER) != fold], kind))
        seen += [of_chest(heart.found.profiles, by) for heart in taught if fold_of(heart, INNER) == fold]
    stacked = np.stack(seen)
    return likeliest(stacked[:, :1] - stacked[:, 1:], CHEST_SMALL[kind])


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


LUDB, UNLIKE, CINC, OTHERS = "LUDB as stored", "LUDB stretched", "CinC 2021", "of no set"
CINC_UNLIKE, OTHERS_UNLIKE = "CinC 2021 stretched", "of no set, stretched"
#: The leads that teach the order of the chest -> where they come from.
TAUGHT_BY = {COMPARABLE: (LUDB, CINC), STRETCHED: (UNLIKE, CINC)}


@dataclass(frozen=True)
class Taught:
    """All weights made from some hearts."""

    frontal: Network
    plausible: Network
    usual: dict[str, list[Network]]
    orderly: dict[str, Network]

    @classmethod
    def by(cls, some: list[Heart]) -> Taught:
        kinds = {kind: [heart for heart in some if heart.origin in origins] for kind, origins in TAUGHT_BY.items()}
        return cls(
            frontal(some),
            plausible(some),
            {kind: usual(of_kind, kind) for kind, of_kind in kinds.items()},
            {kind: orderly(of_kind, kind) for kind, of_kind in kinds.items()},
        )

    def limbs(self, heart: Heart, arrangement: str) -> str | None:
        """Return what is said of the limbs of *heart* with its electrodes in *arrangement*."""
        limb = heart.found.limb @ np.linalg.inv(ARRANGEMENTS[arrangement]).T
        expected = self.frontal(heart.found.chest[None])[0].reshape(limb.shape)
        scores = self.plausible(described(limb @ TURNS.swapaxes(1, 2), expected))[:, 0]
        return told(dict(zip(ARRANGEMENTS, scores - scores[0], strict=True)), fibrillating=heart.fibrillating)

    def chest(self, heart: Heart, electrodes: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return which electrodes of the chest of *heart* are said to be exchanged once *electrodes* are."""
        kind = STRETCHED if heart.found.stretched else COMPARABLE
        profiles = heart.found.profiles[:, ORDERS[electrodes]]
        scores = self.orderly[kind](of_chest(profiles, Network.together(self.usual[kind])))[:, 0]
        best = int(scores.argmax())
        return list(ORDERS)[best] if scores[best] - scores[0] > CHEST_ODDS else None


def said(by: Callable[[Heart], Taught], asked: list[Heart]) -> None:
    """Print what is said of hearts whose electrodes sit right, and of each exchange."""
    asked = [heart for heart in asked if heart.conducted]
    wrong = [heart.name for heart in asked if by(heart).chest(heart, ()) or by(heart).limbs(heart, "as-it-should-be")]
    print(f"  nothing exchanged: hint in {len(wrong)} of {len(asked)} {' '.join(wrong)}")
    for name in list(ARRANGEMENTS)[1:]:
        hints = [by(heart).limbs(heart, name) for heart in asked]
        named = sum(hint == name.removesuffix("-back") for hint in hints)
        print(f"  {name:30s} hint in {sum(hint is not None for hint in hints)}, named in {named}")
    for electrodes in list(ORDERS)[1:]:
        found = [by(heart).chest(heart, electrodes) for heart in asked]
        named = sum(hint == electrodes for hint in found)
        print(f"  {'-'.join(electrodes):30s} hint in {sum(hint is not None for hint in found)}, named in {named}")


def check(all_hearts: list[Heart], others: list[Heart]) -> None:
    """Print what is said of hearts whose patients the weights never saw; *others* teach nothing."""
    for split in range(SPLITS):
        by_fold = [Taught.by([heart for heart in all_hearts if fold_of(heart, FOLDS, split) != fold]) for fold in range(FOLDS)]
        for origins in ((LUDB, CINC), (UNLIKE,)):
            print(f"{' and '.join(origins)}, patients divided the {split + 1}. way")
            said(
                lambda heart, by_fold=by_fold, split=split: by_fold[fold_of(heart, FOLDS, split)],
                [heart for heart in all_hearts if heart.origin in origins],
            )
    for taught, asked in (
        ((LUDB, UNLIKE), CINC), ((LUDB, UNLIKE), CINC_UNLIKE), ((CINC,), LUDB),
        ((LUDB, UNLIKE, CINC), OTHERS), ((LUDB, UNLIKE, CINC), OTHERS_UNLIKE),
    ):  # fmt: skip
        print(f"{asked} by what {' and '.join(taught)} taught")
        whole = Taught.by([heart for heart in all_hearts if heart.origin in taught])
        said(lambda _, whole=whole: whole, [heart for heart in (*all_hearts, *others) if heart.origin == asked])


if __name__ == "__main__":
    ludb, cinc = of_set("ludb"), of_set("cinc2021")
    data = [*hearts(LUDB, [as_stored(marked) for marked in ludb]), *hearts(UNLIKE, ludb), *hearts(CINC, cinc)]
    if "--check" in sys.argv[1:]:
        unlike = hearts(CINC_UNLIKE, [stretched(marked) for marked in cinc])
        others = hearts(OTHERS_UNLIKE, [stretched(marked) for marked in apart()])
        check(data, [*unlike, *hearts(OTHERS, apart()), *others])
    else:
        made_from = {"ludb": len(ludb), "cinc2021": len(cinc)}
        kept = Taught.by(data)
        write("placement", {"frontal": kept.frontal, "plausible": kept.plausible}, "training.ecg_placement", made_from)
        rows = {
            f"{kind} {name}": row
            for kind, of_kind in kept.usual.items()
            for name, row in zip(JUDGED_BY[kind], of_kind, strict=True)
        }
        write("chest_order", rows | kept.orderly, "training.ecg_placement", made_from)
