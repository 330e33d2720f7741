"""Torch models as named numpy arrays, made and run without touching global random state."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    import torch
    from torch import nn

    ModelFactory = Callable[[], nn.Module]
    Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_EVALUATION_BATCH = 1024


@dataclass(frozen=True)
class Examples:
    """Labelled examples.

    Parameters
    ----------
    x : ndarray of shape (n, ...), float32
        The inputs.
    y : ndarray of shape (n,), int64
        The classes, from 0.

    Raises
    ------
    DataError
        If the lengths differ.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise DataError(
                "examples need one label each",
                came=f"{len(self.x)} inputs and {len(self.y)} labels",
                action="check the data",
            )

    def __len__(self) -> int:
        """Return n."""
        return len(self.y)


def require_torch() -> None:
    """Check that torch can be imported.

    Raises
    ------
    MissingExtraError
        If it cannot.
    """
    try:
        importlib.import_module("torch")
    except ImportError as error:
        raise MissingExtraError("a torch client", extra="torch") from error


@contextmanager
def isolated(*, seed: int, threads: int = 1) -> Iterator[None]:
    """Run torch from this seed on this many threads, and leave no trace of either.

    The thread count belongs to it: sums are split by thread, so that their last bits depend
    on how many there are.
    """
    require_torch()
    import torch

    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def derive_seed(*parts: int) -> int:
    """Mix non-negative integers into one 64-bit seed (numpy's SeedSequence)."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def mlp(inputs: int, *, hidden: Sequence[int] = (32,), classes: int = 10) -> ModelFactory:
    """Return a factory of perceptrons: linear layers with ReLU between them.

    Examples
    --------
    >>> factory = mlp(64, hidden=(32,), classes=10)
    >>> [shape for shape in map(np.shape, initial_arrays(factory, seed=0).values())]
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


def initial_arrays(factory: ModelFactory, *, seed: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a new model, by name, in the order of its state dict."""
    with isolated(seed=derive_seed(seed)):
        return model_arrays(factory())


def model_arrays(model: nn.Module) -> dict[str, NDArray[Any]]:
    """Return copies of the model's arrays, by name, in the order of its state dict."""
    state = model.state_dict()
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}


def load_arrays(model: nn.Module, arrays: Sequence[NDArray[Any]]) -> None:
    """Copy arrays into the model, in the order of its state dict.

    Raises
    ------
    ConfigError
        If their number or a shape is not the model's.
    """
    import torch

    state = model.state_dict()
    wanted = [tuple(tensor.shape) for tensor in state.values()]
    came = [np.shape(array) for array in arrays]
    if came != wanted:
        raise ConfigError(
            f"the model needs arrays of shapes {wanted}",
            came=f"{came}",
            action="use the same model on server and clients",
        )
    tensors = (torch.tensor(array) for array in arrays)  # a copy: numpy's may be read-only
    model.load_state_dict(dict(zip(state, tensors, strict=True)))


def evaluate_arrays(
    factory: ModelFactory, arrays: Mapping[str, NDArray[Any]], examples: Examples
) -> tuple[float, float]:
    """Return mean cross-entropy and accuracy of a model that is given as arrays.

    ``arrays`` are in the order of the model's state dict, as a strategy keeps them.
    """
    with isolated(seed=0):
        model = factory()
        load_arrays(model, list(arrays.values()))
        return score(model, examples)


def score(
    model: nn.Module, examples: Examples, *, loss: Loss | None = None
) -> tuple[float, float]:
    """Return mean loss and accuracy of a classifier; zeros without examples."""
    import torch

    criterion = loss or torch.nn.functional.cross_entropy
    total, correct = 0.0, 0
    model.eval()
    with torch.no_grad():
        for start in range(0, len(examples), _EVALUATION_BATCH):
            x = torch.tensor(examples.x[start : start + _EVALUATION_BATCH])
            y = torch.tensor(examples.y[start : start + _EVALUATION_BATCH])
            output = model(x)
            total += float(criterion(output, y)) * len(y)
            correct += int((output.argmax(dim=1) == y).sum())
    count = max(len(examples), 1)
    return total / count, correct / count
