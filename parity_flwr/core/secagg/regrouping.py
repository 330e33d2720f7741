"""Whom to believe when only sums of groups are seen: groups that change every round.

A group's mean update is linear in its members' updates, so what is measured on group means
over many rounds of changing groups tells what each member contributes: a regression with one
unknown per client, solved step by step (normalised least mean squares).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centre import geometric_median
from parity_flwr.core.distances import squared_distances
from parity_flwr.core.key_agreement import derive_key
from parity_flwr.core.keystream import keystream
from parity_flwr.core.rows import Rows, blocks
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]
Memory = Mapping[str, Values]
"""By identity three numbers: its alignment, its spread, and its rounds."""

Groups = Sequence[Sequence[str]]

_ALIGNMENT, _SPREAD, _ROUNDS = range(3)
_TYPICAL = (1.0, 1.0, 0.0)  # a newcomer is like the others
_BOUND = 4.0  # a loud group's figures are cut, so that one round decides nothing


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """How groups are made and judged.

    Parameters
    ----------
    size : int
        Least members of a group, from 3: the server learns the mean of so few.
    rate : float
        Step of the regression, in (0, 1].
    patience : int
        Rounds before a client can be suspected.
    doubt : tuple of float
        Robust deviations from the median client: trusted below the first, not at all
        above the second.
    """

    size: int = 4
    rate: float = 0.4
    patience: int = 4
    doubt: tuple[float, float] = (2.5, 4.0)

    def __post_init__(self) -> None:
        low, high = self.doubt
        valid = (
            type(self.size) is int
            and self.size >= 3
            and 0 < self.rate <= 1
            and self.patience >= 1
            and 0 < low < high < math.inf
        )
        if not valid:
            raise ConfigError(
                "groups need size >= 3, rate in (0, 1], patience >= 1, 0 < doubt ascending",
                came=repr(self)[:120],
                action="change GroupConfig",
            )


def group_seed(secret: bytes, round: int) -> bytes:
    """Return the seed of one round's groups from a run's secret."""
    return derive_key(secret, b"parity-flwr/secagg/groups/v1", round.to_bytes(8, "big"))


def draw_groups(
    names: Sequence[str], *, memory: Memory, config: GroupConfig, seed: bytes
) -> list[list[str]]:
    """Return random groups of at least ``size``; suspects share theirs, but for one.

    Parameters
    ----------
    names : sequence of str
        Who takes part.
    seed : bytes
        32 bytes, secret until the round is over.

    Examples
    --------
    >>> groups = draw_groups("abcdefgh", memory={}, config=GroupConfig(), seed=bytes(32))
    >>> sorted(len(group) for group in groups)
    [4, 4]
    """
    order = _shuffled(sorted(names), seed)
    trust = trust_of(order, memory, config)
    suspects = [name for name in order if trust[name] < 0.5]
    paroled = suspects[:1]  # measured among others once more, or no error could be undone
    last = set(suspects[1:])
    order = [
        *paroled,
        *(name for name in order if name not in suspects),
        *sorted_by(trust, last),
    ]
    count = max(1, len(order) // config.size)
    bounds = np.linspace(0, len(order), count + 1).round().astype(int).tolist()
    return [order[start:stop] for start, stop in pairwise(bounds)]


def sorted_by(trust: Mapping[str, float], names: set[str]) -> list[str]:
    """Return the names, the least trusted last."""
    return sorted(names, key=lambda name: (-trust[name], name))


def trust_of(names: Sequence[str], memory: Memory, config: GroupConfig) -> dict[str, float]:
    """Return each client's trust in [0, 1]: 1 within ``doubt`` of the median client.

    Too little alignment with the centre is held against a client, and too much spread
    around it. Who has been seen for less than ``patience`` rounds is trusted.
    """
    known = [name for name in sorted(memory) if memory[name][_ROUNDS] >= config.patience]
    if len(known) < 3:
        return dict.fromkeys(names, 1.0)
    figures = np.array([memory[name] for name in known])
    low = _deviations(-figures[:, _ALIGNMENT], floor=0.1)
    wide = _deviations(figures[:, _SPREAD], floor=0.1)
    start, end = config.doubt
    doubt = (np.maximum(low, wide) - start) / (end - start)
    found = dict(zip(known, np.clip(1 - doubt, 0, 1).tolist(), strict=True))
    return {name: found.get(name, 1.0) for name in names}


def group_weights(groups: Groups, trust: Mapping[str, float]) -> Values:
    """Return each group's share: its size times its least trusted member's trust."""
    weights = np.array(
        [len(group) * min((trust[name] for name in group), default=0.0) for group in groups]
    )
    return np.asarray(weights, np.float64)


def observe(
    groups: Groups, means: Rows, *, memory: Memory, config: GroupConfig
) -> dict[str, Values]:
    """Return the memory after a round of group means.

    Parameters
    ----------
    groups : sequence of groups
        Their members, in the order of the rows.
    means : Rows
        The groups' mean updates.
    """
    after = {name: np.array(each) for name, each in memory.items()}
    if len(groups) < 3:
        return after
    trust = trust_of([name for group in groups for name in group], memory, config)
    measured = _measure(means, group_weights(groups, trust))
    for group, figures in zip(groups, measured, strict=True):
        known = [np.array(memory.get(name, _TYPICAL), np.float64) for name in group]
        expected = np.mean([each[:_ROUNDS] for each in known], axis=0)
        for name, each in zip(group, known, strict=True):
            each[:_ROUNDS] += config.rate * (figures - expected)
            each[_ROUNDS] += 1
            after[name] = each
    return after


def _measure(means: Rows, weights: Values) -> Values:
    """Return each group's alignment with the robust centre and spread around it, (g, 2).

    The centre is the geometric median c of the trusted groups; alignment is <u, c>/|c|^2
    over its median, spread |u - c|^2 over its median.
    """
    weights = weights if weights.sum() > 0 else np.ones(means.n)
    centre, _ = geometric_median(squared_distances(means), weights / weights.sum())
    products = _gram(means)
    along, length = products @ centre, float(centre @ products @ centre)
    spread = np.maximum(np.diag(products) - 2 * along + length, 0.0)
    figures = np.stack([along / max(length, 1e-300), spread / max(_middle(spread), 1e-300)])
    return np.clip(figures, -_BOUND, _BOUND).T


def _gram(means: Rows) -> Values:
    total = np.zeros((means.n, means.n))
    for block in blocks(means):
        part = block.astype(np.float64)
        total += part @ part.T
    return total


def _middle(values: Values) -> float:
    return float(np.median(values))


def _deviations(values: Values, *, floor: float) -> Values:
    """Return by how many robust deviations each value is above the median."""
    centre = _middle(values)
    spread = 1.4826 * _middle(np.abs(values - centre))
    return np.asarray((values - centre) / max(spread, floor), np.float64)


def _shuffled(names: Sequence[str], seed: bytes) -> list[str]:
    keys = keystream(seed, 2 * len(names)).view(np.uint64).tolist()
    return [name for _, name in sorted(zip(keys, names, strict=True))]
