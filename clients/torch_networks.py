"""Factories of small torch networks, for quickstarts, benches and tests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from parity_flwr.clients.torch_model import ModelFactory


def mlp(inputs: int, *, hidden: Sequence[int] = (32,), classes: int = 10) -> ModelFactory:
    """Return a factory of perceptrons: linear layers with ReLU between them.

    Examples
    --------
    >>> from parity_flwr.clients.torch_model import initial_arrays
    >>> factory = mlp(64, hidden=(32,), classes=10)
    >>> [array.shape for array in initial_arrays(factory, seed=0).values()]
    [(32, 64), (32,), (10, 32), (10,)]
    """

    def build() -> nn.Module:
        from torch import nn

        sizes = (inputs, *hidden, classes)
        layers: list[nn.Module] = []
        for size, following in itertools.pairwise(sizes):
            layers += [nn.Linear(size, following), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return build


def cnn(
    shape: tuple[int, int, int],
    *,
    channels: Sequence[int] = (16, 32),
    classes: int = 10,
    batch_norm: bool = True,
) -> ModelFactory:
    """Return a factory of small convolutional networks.

    For each entry of ``channels`` a 3 x 3 convolution, batch normalisation if asked for,
    ReLU, and a maximum over 2 x 2; then one linear layer.

    Parameters
    ----------
    shape : (channels, height, width)
        Of one input.
    channels : sequence of int
        Width of each convolution.
    classes : int
        Outputs.
    batch_norm : bool
        Whether to normalise; off for differential privacy, which it breaks.

    Examples
    --------
    >>> from parity_flwr.clients.torch_model import initial_arrays
    >>> arrays = initial_arrays(cnn((1, 8, 8), channels=(4,), classes=3), seed=0)
    >>> arrays["1.num_batches_tracked"].dtype, [*arrays.values()][-2].shape
    (dtype('int64'), (3, 64))
    """

    def build() -> nn.Module:
        from torch import nn

        depth, height, width = shape
        layers: list[nn.Module] = []
        for wide in channels:
            layers.append(nn.Conv2d(depth, wide, 3, padding=1, bias=not batch_norm))
            layers += [nn.BatchNorm2d(wide)] if batch_norm else []
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
            depth, height, width = wide, height // 2, width // 2
        layers += [nn.Flatten(), nn.Linear(depth * height * width, classes)]
        return nn.Sequential(*layers)

    return build
