"""Small networks whose weights are data: made by the scripts in ``tests/training``, kept as JSON beside this module.

Each file says what it was made from. A network here is a few matrices; no library is needed to ask it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """Inputs brought to mean 0 and deviation 1, then layers of (weights, biases) with a rectifier between them."""

    mean: Numbers
    deviation: Numbers
    layers: tuple[tuple[Numbers, Numbers], ...]

    def __call__(self, described: Numbers, furthest: float = np.inf) -> Numbers:
        """Return (rows, outputs) for (rows, inputs), of which none is taken for more than *furthest* deviations off the mean."""
        values = (described - self.mean) / self.deviation
        if furthest < np.inf:
            values = np.minimum(np.maximum(values, -furthest), furthest)
        for place, (weights, biases) in enumerate(self.layers):
            values = (np.maximum(values, 0) if place else values) @ weights + biases
        return values

    @classmethod
    def together(cls, networks: Sequence["Network"]) -> "Network":
        """Return *networks* of one form as one, which is asked with (networks, rows, inputs) and answers in the same order."""
        layers = zip(*(each.layers for each in networks), strict=True)
        return cls(
            np.stack([each.mean for each in networks])[:, None],
            np.stack([each.deviation for each in networks])[:, None],
            tuple((np.stack([w for w, _ in layer]), np.stack([b for _, b in layer])[:, None]) for layer in layers),
        )

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Network":
        """Return the network that a file keeps."""
        layers = tuple((np.array(weights, float), np.array(biases, float)) for weights, biases in kept["layers"])
        return cls(np.array(kept["mean"], float), np.array(kept["deviation"], float), layers)


@cache
def _kept(file: str) -> Mapping[str, Mapping[str, Any]]:
    kept = json.loads((files("ecg.processing") / "weights" / f"{file}.json").read_text(encoding="utf-8"))
    networks: Mapping[str, Mapping[str, Any]] = kept["networks"]
    return networks


@cache
def network(file: str, *names: str) -> Network:
    """Return the network of ``weights/<file>.json`` with that name; several names give them together."""
    kept = [Network.of(_kept(file)[name]) for name in names]
    return kept[0] if len(kept) == 1 else Network.together(kept)
