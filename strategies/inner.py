"""The inner strategy: what it is asked, what it is given, and what it must remember."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from flwr.supercore.run import Run
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError, RunError

_SAMPLING = {"fraction_train": 1.0, "fraction_evaluate": 1.0}
_MINIMUMS = ("min_train_nodes", "min_evaluate_nodes", "min_available_nodes")


def pin(inner: Strategy) -> Strategy:
    """Return a copy of the strategy that takes every node it is offered.

    Selection is the wrapper's; the caller's object is left alone. A fraction of 0, Flower's
    way to switch a phase off, stays.
    """
    pinned = copy.copy(inner)
    for name, value in _SAMPLING.items():
        if getattr(pinned, name, 0.0) != 0.0:
            setattr(pinned, name, value)
    for name in _MINIMUMS:
        if hasattr(pinned, name):
            setattr(pinned, name, 0)
    return pinned


class PinnedGrid(Grid):
    """A grid on which only the selected nodes exist."""

    _MOST_LOOKS = 100  # a strategy that waits for more nodes than it gets would wait forever

    def __init__(self, grid: Grid, node_ids: Sequence[int]) -> None:
        self._grid = grid
        self._node_ids = list(node_ids)
        self._looks = 0

    def get_node_ids(self) -> Iterable[int]:
        """Return the selected nodes."""
        self._looks += 1
        if self._looks > self._MOST_LOOKS:
            raise RunError(
                "the inner strategy waits for more nodes than were selected",
                came=f"{len(self._node_ids)} nodes",
                action="set its minimums on Reputation(...) instead",
            )
        return list(self._node_ids)

    def set_run(self, run: Run) -> None:
        """Pass on."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """Return the real grid's run."""
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Pass on."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Pass on."""
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Pass on."""
        return self._grid.pull_messages(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Pass on."""
        return self._grid.send_and_receive(messages, timeout=timeout)


def save_state(inner: Strategy) -> dict[str, NDArray[Any]]:
    """Return the arrays that a strategy keeps between rounds, by attribute path.

    Covers arrays, lists and dicts of arrays and ArrayRecords among the attributes, which is
    where Flower's strategies keep their server optimiser (``m_t``, ``v_t``,
    ``momentum_vector``, ``current_arrays``).
    """
    return {
        path: array
        for name, value in vars(inner).items()
        for path, array in _flatten(name, value)
    }


def _flatten(name: str, value: object) -> Iterable[tuple[str, NDArray[Any]]]:
    if isinstance(value, np.ndarray):
        yield f"array|{name}", value
    elif isinstance(value, ArrayRecord):
        for key, array in value.items():
            yield f"record|{name}|{key}", array.numpy()
    elif isinstance(value, dict) and _all_arrays(value.values()):
        for key, array in value.items():
            yield f"dict|{name}|{key}", array
    elif isinstance(value, list) and _all_arrays(value):
        for index, array in enumerate(value):
            yield f"list|{name}|{index}", array


def _all_arrays(values: Iterable[object]) -> bool:
    values = list(values)
    return bool(values) and all(isinstance(value, np.ndarray) for value in values)


def load_state(inner: Strategy, saved: Mapping[str, NDArray[Any]]) -> None:
    """Put back what :func:`save_state` returned.

    Raises
    ------
    ConfigError
        If the strategy has no attribute of that name: it is not the one that was saved.
    """
    grouped: dict[tuple[str, str], dict[str, NDArray[Any]]] = {}
    for path, array in saved.items():
        kind, name, *key = path.split("|", 2)
        grouped.setdefault((kind, name), {})[key[0] if key else ""] = array
    for (kind, name), parts in grouped.items():
        if name not in vars(inner):
            raise ConfigError(
                "resuming needs the strategy that the run was started with",
                came=f"{type(inner).__name__} without {name[:60]!r}",
                action="use the same inner strategy",
            )
        setattr(inner, name, _rebuild(kind, parts))


def _rebuild(kind: str, parts: Mapping[str, NDArray[Any]]) -> object:
    if kind == "array":
        return parts[""]
    if kind == "record":
        return ArrayRecord(dict(_as_flower(parts)))
    if kind == "dict":
        return dict(parts)
    return [parts[key] for key in sorted(parts, key=int)]


def _as_flower(parts: Mapping[str, NDArray[Any]]) -> Iterable[tuple[str, Any]]:
    from flwr.app import Array

    return ((key, Array(np.asarray(array))) for key, array in parts.items())
