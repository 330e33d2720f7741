"""The inner strategy: what it is asked, and the grid that it sees."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from flwr.app import Message, RecordDict
from flwr.app.exception import AppExitException
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from flwr.supercore.run import Run

from parity_flwr.errors import RunError

FOREIGN = (AppExitException, ArithmeticError, ValueError, TypeError, LookupError)
"""What a strategy that is not ours may raise while it aggregates: the round goes on."""

_FRACTIONS = ("fraction_train", "fraction_evaluate")
_NESTED = "nested"  # a guard inside another gets shares for n_k and need not check again
_MINIMUMS = ("min_train_nodes", "min_evaluate_nodes", "min_available_nodes")


def wrapped(inner: Strategy) -> dict[str, Strategy]:
    """Return the strategies that a strategy holds as attributes (Flower's DP wrappers)."""
    return {name: each for name, each in vars(inner).items() if isinstance(each, Strategy)}


def setting(inner: Strategy, name: str, default: Any) -> Any:
    """Return a strategy's attribute, or that of the strategy it wraps, or the default."""
    if hasattr(inner, name):
        return getattr(inner, name)
    found = [setting(each, name, default) for each in wrapped(inner).values()]
    return found[0] if found else default


def pin(inner: Strategy) -> Strategy:
    """Return a copy of the strategy that takes every node it is offered.

    Selection is the wrapper's, switching a phase off too; the caller's object is left alone.
    """
    pinned = copy.copy(inner)
    for names, value in ((_FRACTIONS, 1.0), (_MINIMUMS, 0)):
        for name in names:
            if hasattr(pinned, name):
                setattr(pinned, name, value)
    if hasattr(pinned, _NESTED):
        setattr(pinned, _NESTED, True)
    for name, each in wrapped(pinned).items():
        setattr(pinned, name, pin(each))
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

    def get_nodes(self) -> Iterable[NodeInfo]:
        """Return what is known of the selected nodes."""
        chosen = set(self._node_ids)
        return [info for info in self._grid.get_nodes() if info.node_id in chosen]

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
