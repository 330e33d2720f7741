"""What a torch client keeps between rounds in its Context: never sent, never pickled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from numpy.typing import NDArray

from parity_flwr.errors import CheckpointError

if TYPE_CHECKING:
    import torch
    from torch import nn

OPTIMIZER = "parity-optimizer"
"""Record in ``Context.state``: the optimiser's moments, by "parameter|name"."""

LOCAL = "parity-local"
"""Record in ``Context.state``: the model's arrays that do not travel, by name."""


def save_local(context: Context, model: nn.Module, travelling: Iterable[str]) -> None:
    """Keep the arrays that are not in ``travelling``, but for frozen parameters.

    Those are as the factory makes them, each time.
    """
    frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
    gone = set(travelling) | frozen
    state = model.state_dict()
    kept = {name: _array(tensor) for name, tensor in state.items() if name not in gone}
    if kept:
        context.state[LOCAL] = _record(kept)


def load_local(context: Context, model: nn.Module) -> None:
    """Put back what :func:`save_local` kept; nothing in the first round.

    Raises
    ------
    CheckpointError
        If the model has no such array.
    """
    import torch

    record = context.state.array_records.get(LOCAL)
    if record is None:
        return
    state = model.state_dict()
    for name, array in record.items():
        if name not in state or tuple(array.shape) != tuple(state[name].shape):
            raise _another("model", name)
        state[name].copy_(torch.tensor(array.numpy()))


def save_optimizer(context: Context, optimizer: torch.optim.Optimizer) -> None:
    """Keep the optimiser's state: moments, steps, momentum buffers."""
    import torch

    kept: dict[str, NDArray[Any]] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                kept[f"{index}|{name}"] = _array(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                kept[f"{index}|{name}|number"] = np.array(value)
    if kept:
        context.state[OPTIMIZER] = _record(kept)


def load_optimizer(context: Context, optimizer: torch.optim.Optimizer) -> None:
    """Put back what :func:`save_optimizer` kept; nothing in the first round.

    Raises
    ------
    CheckpointError
        If the optimiser has not so many parameters.
    """
    import torch

    record = context.state.array_records.get(OPTIMIZER)
    if record is None:
        return
    whole = optimizer.state_dict()
    count = sum(len(group["params"]) for group in whole["param_groups"])
    state: dict[int, dict[str, Any]] = {}
    for key, array in record.items():
        index, name, *number = key.split("|")
        if not index.isdecimal() or int(index) >= count:
            raise _another("optimiser", key)
        value = array.numpy()
        entry = value.item() if number else torch.tensor(value)
        state.setdefault(int(index), {})[name] = entry
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy()).copy()


def _record(arrays: dict[str, NDArray[Any]]) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(array)) for name, array in arrays.items()})


def _another(what: str, name: str) -> CheckpointError:
    return CheckpointError(
        f"a client's state needs the {what} that it was kept with",
        came=f"another one, without {name[:60]!r}",
        action="start a new run",
    )
