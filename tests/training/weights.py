"""Fit a small network with scikit-learn and keep it as `ecg.processing.network` reads it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import ecg.processing
from ecg.processing.network import Network

FOLDER = Path(ecg.processing.__file__).parent / "weights"
DIGITS = 5


@dataclass(frozen=True)
class Example:
    """Rows of inputs, one output for each, and how much it counts."""

    inputs: np.ndarray
    output: np.ndarray
    weight: np.ndarray


def fitted(
    examples: Sequence[Example],
    hidden: int,
    *,
    alpha: float = 1e-2,
    rounds: int = 40,
    furthest: float = np.inf,
    numbers: bool = False,
) -> Network:
    """Return a network with one hidden layer: log odds of yes, or *numbers* by least squares; *alpha* holds weights small."""
    inputs = np.concatenate([example.inputs for example in examples])
    outputs = np.concatenate([example.output for example in examples])
    weight = np.concatenate([example.weight for example in examples])
    inputs, outputs, weight = inputs[weight > 0], outputs[weight > 0], weight[weight > 0]
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    kind = MLPRegressor if numbers else MLPClassifier
    model = kind(
        hidden_layer_sizes=(hidden,), alpha=alpha, learning_rate_init=3e-3, batch_size=512, max_iter=rounds, random_state=0
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of rounds is what is wanted
        model.fit(np.clip((inputs - mean) / deviation, -furthest, furthest), outputs, sample_weight=weight)
    return Network(mean, deviation, tuple(zip(model.coefs_, model.intercepts_, strict=True)))


def _rounded(values: np.ndarray) -> Any:
    return [_rounded(row) for row in values] if values.ndim > 1 else [float(f"{value:.{DIGITS}g}") for value in values]


def write(name: str, networks: Mapping[str, Network], script: str, made_from: Mapping[str, int]) -> None:
    """Keep *networks* with where they come from: the script, and how many recordings of each set."""
    kept = {
        each: {
            "mean": _rounded(network.mean),
            "deviation": _rounded(network.deviation),
            "layers": [[_rounded(weights), _rounded(biases)] for weights, biases in network.layers],
        }
        for each, network in networks.items()
    }
    content = {"made_by": f"tests/{script.replace('.', '/')}.py", "recordings": dict(made_from), "networks": kept}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
