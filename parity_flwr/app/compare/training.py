"""Local SGD of all clients of a round in one batched call.

The batches are the ones that :class:`parity_flwr.clients.TorchClient` draws, and the steps
are the ones that it makes; only the order of the sums differs (tests/test_compare_engine.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.compare.perceptron import Perceptron, Vector
from parity_flwr.clients.torch_model import derive_seed

if TYPE_CHECKING:
    import torch

Matrix = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LocalSteps:
    """How every client trains in a round."""

    steps: int = 5
    batch_size: int = 32
    learning_rate: float = 0.1


@dataclass(frozen=True, eq=False)
class Batches:
    """What n clients train on in one round, shapes (steps, n, batch_size).

    ``rows`` are indices into the training data; ``shares`` are 1/m for the m examples of a
    batch and 0 for places that a small batch leaves empty.
    """

    rows: torch.Tensor  # int64
    shares: torch.Tensor  # float32


def draw_batches(
    parts: Sequence[torch.Tensor],
    *,
    clients: Sequence[int],
    seed: int,
    server_round: int,
    local: LocalSteps,
) -> Batches:
    """Draw every client's batches: permutations of its rows, cut, from (seed, round, client).

    Parameters
    ----------
    parts : sequence of n tensors of int64
        Each client's rows.
    clients : sequence of n ints
        Their partition ids.
    """
    import torch

    shape = (len(parts), local.steps, local.batch_size)
    rows = torch.zeros(shape, dtype=torch.int64)
    shares = torch.zeros(shape, dtype=torch.float32)
    generator = torch.Generator()
    for place, (client, part) in enumerate(zip(clients, parts, strict=True)):
        generator.manual_seed(derive_seed(seed, server_round, client))
        for step, batch in enumerate(_cut(len(part), generator, local)):
            rows[place, step, : len(batch)] = part[batch]
            shares[place, step, : len(batch)] = 1.0 / len(batch)
    return Batches(rows.transpose(0, 1).contiguous(), shares.transpose(0, 1).contiguous())


def _cut(size: int, generator: torch.Generator, local: LocalSteps) -> list[torch.Tensor]:
    """Return the first batches of one permutation after the other."""
    import torch

    batches: list[torch.Tensor] = []
    while size and len(batches) < local.steps:
        wanted = (local.steps - len(batches)) * local.batch_size
        order = torch.randperm(size, generator=generator)[:wanted]
        batches += torch.split(order, local.batch_size)
    return batches


def train_together(
    model: Perceptron,
    start: Vector,
    *,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    shares: torch.Tensor,
    learning_rate: float,
) -> Matrix:
    """Return the updates w_k - w of n clients, float32, shape (n, d).

    Plain SGD on the mean cross-entropy of each batch, forward and backward by hand.

    Parameters
    ----------
    start : ndarray of float32, shape (d,)
        The model w that was sent out.
    inputs : tensor of float32, shape (steps, n, batch, inputs)
    labels : tensor of int64, shape (steps, n, batch)
    shares : tensor of float32, shape (steps, n, batch)
        From :class:`Batches`.
    """
    import torch

    origin = torch.from_numpy(start)
    moved = origin.repeat(inputs.shape[1], 1)
    inner, inner_bias, outer, outer_bias = model.layers(moved)
    for x, y, share in zip(inputs, labels[..., None], shares[..., None], strict=True):
        active = torch.baddbmm(inner_bias[:, None], x, inner.transpose(1, 2)).relu_()
        logits = torch.baddbmm(outer_bias[:, None], active, outer.transpose(1, 2))
        # d loss / d logits = (softmax - one-hot) * share
        slope = torch.softmax(logits, 2).scatter_add_(2, y, -torch.ones_like(share))
        slope *= share
        back = torch.bmm(slope, outer) * (active > 0)
        outer.baddbmm_(slope.transpose(1, 2), active, alpha=-learning_rate)
        outer_bias.sub_(slope.sum(1), alpha=learning_rate)
        inner.baddbmm_(back.transpose(1, 2), x, alpha=-learning_rate)
        inner_bias.sub_(back.sum(1), alpha=learning_rate)
    return np.asarray(moved.sub_(origin).numpy(), np.float32)


def accuracy(model: Perceptron, vector: Vector, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share of examples that the model gets right; 1/classes if it is not finite."""
    import torch

    if not np.isfinite(vector).all():
        return 1.0 / model.classes
    layers = model.layers(torch.from_numpy(vector)[None])
    inner, inner_bias, outer, outer_bias = (layer[0] for layer in layers)
    active = torch.addmm(inner_bias, x, inner.T).relu_()
    found = torch.addmm(outer_bias, active, outer.T).argmax(1)
    return float((found == y).sum()) / max(len(y), 1)
