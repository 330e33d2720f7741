"""A trained model of a table: arrays and what they mean, the same in a run and on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.clients.linear_model import task_of
from parity_flwr.core.forest import (
    Forest,
    ForestLimits,
    ForestSchema,
    decode_forest,
    forest_values,
)
from parity_flwr.core.linear import predict_linear
from parity_flwr.errors import DataError

Values = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


class Kind(StrEnum):
    """What the arrays are."""

    NETWORK = "network"
    LINEAR = "linear"
    FOREST = "forest"


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedModel:
    """A model that predicts.

    Parameters
    ----------
    kind : Kind
        A network has ``N.weight`` (float32, outputs by inputs) and ``N.bias`` for each
        layer, with ReLU between them; a linear model ``coef`` and ``intercept`` (float64); a
        forest the arrays of :func:`parity_flwr.core.forest.encode_forest`.
    arrays : mapping of str to ndarray
        By name; not trusted.
    features : int
        Number of inputs.
    classes : tuple
        In the order of the outputs; empty for a number.
    centre, scale : float
        A network's number times ``scale`` plus ``centre`` is in the target's own units.

    Raises
    ------
    DataError
        If the arrays are not such a model.
    """

    kind: Kind
    arrays: Arrays
    features: int
    classes: tuple[Any, ...] = ()
    centre: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.kind is Kind.NETWORK:
            _check_network(self.layers, self.features, len(self.classes) or 1)
        elif self.kind is Kind.LINEAR:
            outputs = 1 if len(self.classes) <= 2 else len(self.classes)
            _check_linear(self.arrays, (outputs, self.features))

    @cached_property
    def layers(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Return each layer's weights and biases, of a network."""
        try:
            places = sorted({int(name.partition(".")[0]) for name in self.arrays})
            found = [(self.arrays[f"{k}.weight"], self.arrays[f"{k}.bias"]) for k in places]
        except (ValueError, KeyError):
            found = []
        if not found or len(self.arrays) != 2 * len(found):
            raise _bad("weights and biases for each layer", f"{len(self.arrays)} arrays")
        return found

    @cached_property
    def forest(self) -> Forest:
        """Return the checked trees, of a forest."""
        schema = ForestSchema.of(self.features, self.classes)
        return decode_forest(self.arrays, schema=schema, limits=ForestLimits(agreeing=False))

    def predict(self, x: NDArray[np.float32]) -> Values:
        """Return probabilities, shape (n, classes), or numbers in the target's units, (n,)."""
        if self.kind is Kind.FOREST:
            values = forest_values(self.forest, x)
            return values if self.classes else values[:, 0]
        if self.kind is Kind.LINEAR:
            coef, intercept = self.arrays["coef"], self.arrays["intercept"]
            values = predict_linear(coef, intercept, x, task_of(self.classes))
            return values if self.classes else values[:, 0]
        # A model that somebody ruined may overflow; its metrics then say so.
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self._scores(x)
            if self.classes:
                return _softmax(scores)
            return np.asarray(scores[:, 0] * self.scale + self.centre, np.float64)

    def _scores(self, x: NDArray[np.float32]) -> Values:
        hidden = np.asarray(x, np.float32)
        for k, (weight, bias) in enumerate(self.layers):
            hidden = (np.maximum(hidden, 0) if k else hidden) @ weight.T + bias
        return np.asarray(hidden, np.float64)


def _softmax(scores: Values) -> Values:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def _check_network(
    layers: list[tuple[NDArray[Any], NDArray[Any]]], inputs: int, outputs: int
) -> None:
    width = inputs
    for weight, bias in layers:
        fits = weight.ndim == 2 and weight.shape[1] == width and bias.shape == weight.shape[:1]
        if not fits or {weight.dtype, bias.dtype} != {np.dtype(np.float32)}:
            raise _bad(f"float32 layers from {width} on", f"{weight.shape}, {bias.shape}")
        width = weight.shape[0]
    if width != outputs:
        raise _bad(f"{outputs} outputs", str(width))


def _check_linear(arrays: Arrays, shape: tuple[int, int]) -> None:
    found = {name: (array.shape, array.dtype.kind) for name, array in arrays.items()}
    if found != {"coef": (shape, "f"), "intercept": (shape[:1], "f")}:
        raise _bad(f"coef of shape {shape} and its intercept", f"{found}"[:120])


def _bad(needed: str, came: str) -> DataError:
    return DataError(f"a model needs {needed}", came=came, action="fetch it from its source")
