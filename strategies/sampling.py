"""Which nodes take part in a round (Algorithm 1, line 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import INFO

import numpy as np
from flwr.common import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.ranges import require, require_range
from parity_flwr.core.records import ReputationState
from parity_flwr.core.reputation import is_excluded, standing_of
from parity_flwr.core.selection import select
from parity_flwr.errors import RunError
from parity_flwr.strategies.inner import setting

_POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How many nodes a phase asks, with Flower's meaning of each field.

    Parameters
    ----------
    fraction_train, fraction_evaluate : float
        Share of the connected nodes, in [0, 1]; 0 switches the phase off.
    min_train_nodes, min_evaluate_nodes, min_available_nodes : int
        Least number of nodes asked, and connected before a round starts.
    node_timeout_s : float
        Seconds to wait for ``min_available_nodes``; Flower waits for ever.
    """

    fraction_train: float = 1.0
    fraction_evaluate: float = 1.0
    min_train_nodes: int = 2
    min_evaluate_nodes: int = 2
    min_available_nodes: int = 2
    node_timeout_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("fraction_train", "fraction_evaluate"):
            require_range(name, getattr(self, name), 0, 1)
        for name in ("min_train_nodes", "min_evaluate_nodes", "min_available_nodes"):
            value = getattr(self, name)
            require(value >= 0, name, "an integer >= 0", value)
        timeout_s = self.node_timeout_s
        require(timeout_s >= 0, "node_timeout_s", "seconds >= 0", timeout_s)

    @classmethod
    def of(cls, inner: Strategy) -> Sampling:
        """Return what the strategy, or the one it wraps, was built with, else the defaults."""
        default = cls()
        names = [name for name in vars(default) if name != "node_timeout_s"]
        return cls(**{name: setting(inner, name, getattr(default, name)) for name in names})

    @property
    def least_connected(self) -> int:
        """Nodes that must be connected before a round can start."""
        return max(1, self.min_available_nodes, self.min_train_nodes)

    def train_size(self, connected: int) -> int:
        """Return how many nodes train."""
        return _size(connected, self.fraction_train, self.min_train_nodes)

    def evaluate_size(self, connected: int) -> int:
        """Return how many nodes evaluate."""
        return _size(connected, self.fraction_evaluate, self.min_evaluate_nodes)


def _size(connected: int, fraction: float, minimum: int) -> int:
    if fraction == 0:
        return 0
    return min(connected, max(int(connected * fraction), minimum))


def wait_for_nodes(
    grid: Grid,
    *,
    least: int,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[int]:
    """Return the connected node ids, sorted, once there are enough.

    Raises
    ------
    RunError
        If ``least`` nodes are not connected after ``timeout_s`` seconds.
    """
    deadline = clock() + timeout_s
    while len(nodes := sorted(grid.get_node_ids())) < least:
        if clock() >= deadline:
            raise RunError(
                f"a round needs {least} connected nodes within {timeout_s:g} s",
                came=f"{len(nodes)} nodes",
                action="start more SuperNodes or lower min_available_nodes",
            )
        log(INFO, "Waiting for nodes: %d of %d connected", len(nodes), least)
        sleep(_POLL_S)
    return nodes


def choose_trainers(
    state: ReputationState,
    connected: Mapping[str, int],
    *,
    size: int,
    config: TrustConfig,
    rng: np.random.Generator,
) -> list[str]:
    """Return the identities to train: in proportion to reputation, with a floor (Alg. 1)."""
    standings = {name: standing_of(state, name, config.reputation) for name in connected}
    names = [name for name, standing in standings.items() if not standing.banned]
    return select(
        names,
        [standings[name].composite for name in names],
        size=min(size, len(names)),
        floor=config.selection_floor * config.reputation.initial,
        rng=rng,
    )


def choose_evaluators(
    state: ReputationState,
    connected: Mapping[str, int],
    *,
    size: int,
    config: TrustConfig,
    rng: np.random.Generator,
) -> list[str]:
    """Return the identities to evaluate: any that has weight, all equally likely.

    If nobody has weight, anybody who is not banned.
    """
    standings = {name: standing_of(state, name, config.reputation) for name in connected}
    admitted = [name for name, standing in standings.items() if not standing.banned]
    rules = config.reputation
    trusted = [name for name in admitted if not is_excluded(standings[name], rules)]
    names = trusted or admitted
    return select(names, [1.0] * len(names), size=min(size, len(names)), floor=1.0, rng=rng)
