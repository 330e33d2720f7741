"""Torch models as named numpy arrays, made and run without touching global random state."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    import torch
    from torch import nn

    ModelFactory = Callable[[], nn.Module]
    Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

Travels = Literal["all", "trainable"] | Callable[[str], bool]
"""Which of a model's arrays are sent: all, those that are trained, or those named so."""

_EVALUATION_BATCH = 1024


@dataclass(frozen=True)
class Examples:
    """Labelled examples.

    Parameters
    ----------
    x : ndarray of shape (n, ...), float32
        The inputs.
    y : ndarray of shape (n,), int64 or float32
        The classes, from 0; or numbers, and then it is regression on one output.

    Raises
    ------
    DataError
        If the lengths differ.
    """

    x: NDArray[np.float32]
    y: NDArray[Any]

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

    @property
    def regression(self) -> bool:
        """Whether y holds numbers, not classes."""
        return self.y.dtype.kind == "f"


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


def initial_arrays(
    factory: ModelFactory, *, seed: int, travels: Travels = "all"
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a new model that travel, by name, in the state dict's order."""
    with isolated(seed=derive_seed(seed)):
        return model_arrays(factory(), travels)


def travelling(model: nn.Module, travels: Travels = "all") -> list[str]:
    """Return the names of the arrays that travel, in the order of the state dict.

    "trainable" are the parameters with a gradient: of a frozen model with adapters (LoRA)
    the adapters, without batch norm's running statistics.

    Raises
    ------
    ConfigError
        If none do.
    """
    names = list(model.state_dict())
    if travels == "trainable":
        trained = {name for name, each in model.named_parameters() if each.requires_grad}
        names = [name for name in names if name in trained]
    elif callable(travels):
        names = [name for name in names if travels(name)]
    if not names:
        raise ConfigError(
            "a model needs an array that travels", came="none", action="change `travels`"
        )
    return names


def model_arrays(model: nn.Module, travels: Travels = "all") -> dict[str, NDArray[Any]]:
    """Return copies of the arrays that travel, by name, in the order of the state dict."""
    state = model.state_dict()
    names = travelling(model, travels)
    return {name: state[name].detach().cpu().numpy().copy() for name in names}


def load_arrays(
    model: nn.Module, arrays: Sequence[NDArray[Any]], travels: Travels = "all"
) -> None:
    """Copy arrays into the model, in the order of :func:`travelling`.

    Raises
    ------
    ConfigError
        If their number or a shape is not the model's.
    """
    import torch

    names = travelling(model, travels)
    state = model.state_dict()
    wanted = [tuple(state[name].shape) for name in names]
    came = [np.shape(array) for array in arrays]
    if came != wanted:
        raise ConfigError(
            f"the model needs arrays of shapes {wanted}",
            came=f"{came}",
            action="use the same model on server and clients",
        )
    with torch.no_grad():
        for name, array in zip(names, arrays, strict=True):
            state[name].copy_(torch.tensor(array))  # by value: numpy's may be read-only


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
    """Return mean loss and accuracy of a classifier, or R^2; zeros without examples.

    R^2 of one value alone, which does not vary, is 0.
    """
    import torch

    criterion = loss or default_loss(examples)
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    total, right = 0.0, 0.0
    model.eval()
    with torch.no_grad():
        for start in range(0, len(examples), _EVALUATION_BATCH):
            x = torch.tensor(examples.x[start : start + _EVALUATION_BATCH], device=device)
            y = torch.tensor(examples.y[start : start + _EVALUATION_BATCH], device=device)
            output = model(x)
            total += float(criterion(output, y)) * len(y)
            if examples.regression:
                right += float(((output[:, 0] - y) ** 2).sum())
            else:
                right += int((output.argmax(dim=1) == y).sum())
    count = max(len(examples), 1)
    if not examples.regression:
        return total / count, right / count
    spread = float(np.var(examples.y)) if len(examples) else 0.0
    return total / count, 1 - right / count / spread if spread > 0 else 0.0


def default_loss(examples: Examples) -> Loss:
    """Return the cross-entropy, or for numbers the mean squared error of one output."""
    import torch

    if not examples.regression:
        return torch.nn.functional.cross_entropy

    def squared(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.mse_loss(output[:, 0], y)

    return squared
