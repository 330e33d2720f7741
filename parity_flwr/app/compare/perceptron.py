"""The grid's model: a perceptron whose parameters are one vector, or n of them a matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Vector = NDArray[np.float32]


class Layers(NamedTuple):
    """Views into n parameter vectors; each has the client as its first axis."""

    inner: torch.Tensor  # (n, hidden, inputs)
    inner_bias: torch.Tensor  # (n, hidden)
    outer: torch.Tensor  # (n, classes, hidden)
    outer_bias: torch.Tensor  # (n, classes)


@dataclass(frozen=True, kw_only=True)
class Perceptron:
    """Inputs, one hidden layer of ReLU, classes: the arrays of ``clients.mlp`` in a row.

    Examples
    --------
    >>> Perceptron(inputs=784, hidden=32, classes=10).size
    25450
    """

    inputs: int
    hidden: int
    classes: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the arrays, in the order of torch's state dict."""
        return (
            (self.hidden, self.inputs),
            (self.hidden,),
            (self.classes, self.hidden),
            (self.classes,),
        )

    @property
    def size(self) -> int:
        """Number of parameters, d."""
        return sum(math.prod(shape) for shape in self.shapes)

    def initial(self, rng: np.random.Generator) -> Vector:
        """Return new parameters, shape (d,): normal with variance 1/inputs, biases 0."""
        arrays = [
            rng.standard_normal(shape) / math.sqrt(shape[-1])
            if len(shape) == 2
            else np.zeros(shape)
            for shape in self.shapes
        ]
        return np.concatenate([array.ravel() for array in arrays]).astype(np.float32)

    def arrays(self, vector: Vector) -> list[Vector]:
        """Cut one vector into the arrays of the model (views)."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        pieces = zip(np.split(vector, ends), self.shapes, strict=True)
        return [piece.reshape(shape) for piece, shape in pieces]

    def layers(self, matrix: torch.Tensor) -> Layers:
        """Cut n vectors, shape (n, d), into the layers of n models (views)."""
        import torch

        sizes = [math.prod(shape) for shape in self.shapes]
        pieces = zip(torch.split(matrix, sizes, dim=1), self.shapes, strict=True)
        return Layers(*(piece.view(-1, *shape) for piece, shape in pieces))
