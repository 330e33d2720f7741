"""Whom to believe when only sums of groups are seen: groups that change every round.

A group's mean update is linear in its members' updates, so what is measured on group means
over many rounds of changing groups tells what each member contributes: a regression with one
unknown per client over the last rounds (:mod:`parity_flwr.core.secagg.contributions`). It asks
for a majority of the clients, not of the groups: with 30 % attackers in groups of four hardly
any group is clean.
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
from parity_flwr.core.secagg.contributions import Window, alignments, spreads
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]
Memory = Mapping[str, Values]
"""By identity: its alignment, its spread and its rounds, then four numbers for each of the last
rounds: which it was, its group, the group's place along and its spread around the centre."""

Groups = Sequence[Sequence[str]]

_ALIGNMENT, _SPREAD, _ROUNDS, _HISTORY = range(4)
_PLACE = 4  # numbers that one round leaves behind
_TYPICAL = (1.0, 1.0, 0.0)  # a newcomer is like the others
_BOUND = 4.0  # a loud group's spread is cut, so that one round decides nothing
_NOTHING = 1e-300
_AHEAD = 3.0  # deviations more that an alignment may lie above the median than below it
_CONTRADICTION = -0.3  # honest groups on skewed data come close to it
_LOUDEST = 3.0  # and its alignment, in root mean squares


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """How groups are made and judged.

    Parameters
    ----------
    size : int
        Least members of a group, from 3: the server learns the mean of so few.
    window : int
        Rounds that the regression looks back on.
    patience : int
        Rounds before a client can be suspected.
    settle : int
        First rounds in which the model stays while trusted groups contradict each other
        (a cosine under -0.3), so that loud attackers are found before they move it.
    doubt : tuple of float
        Robust deviations from the median client: trusted below the first, not at all
        above the second.
    """

    size: int = 4
    window: int = 24
    patience: int = 4
    settle: int = 10
    doubt: tuple[float, float] = (2.5, 4.0)

    def __post_init__(self) -> None:
        low, high = self.doubt
        valid = (
            type(self.size) is int
            and self.size >= 3
            and 1 <= self.patience <= self.window
            and self.settle >= 0
            and 0 < low < high < math.inf
        )
        if not valid:
            raise ConfigError(
                "groups need size >= 3, 1 <= patience <= window, settle >= 0, ascending doubt",
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

    Too little alignment with the others is held against a client, far too much as well
    (a round's sign is fitted, and colluders may carry it), and too much spread around the
    centre. Who has been seen for less than ``patience`` rounds is trusted.
    """
    known = [name for name in sorted(memory) if memory[name][_ROUNDS] >= config.patience]
    if len(known) < 3:
        return dict.fromkeys(names, 1.0)
    figures = np.array([memory[name][:_ROUNDS] for name in known])
    along = _deviations(figures[:, _ALIGNMENT], floor=0.1)
    wide = _deviations(figures[:, _SPREAD], floor=0.5)
    start, end = config.doubt
    worst = np.maximum(wide, np.maximum(-along, along - _AHEAD))
    doubt = (worst - start) / (end - start)
    found = dict(zip(known, np.clip(1 - doubt, 0, 1).tolist(), strict=True))
    return {name: found.get(name, 1.0) for name in names}


def settling(means: Rows, weights: Values, *, memory: Memory, config: GroupConfig) -> bool:
    """Say whether the model is to stay after a round: young, and its groups contradict.

    Parameters
    ----------
    means : Rows
        The groups' mean updates.
    weights : ndarray of float64, shape (g,)
        Their shares; groups without one do not count.
    """
    rounds = max((each[_ROUNDS] for each in memory.values()), default=0.0)
    if rounds > config.settle:
        return False
    products = _gram(means)[np.ix_(weights > 0, weights > 0)]
    lengths = np.sqrt(np.maximum(np.diag(products), _NOTHING))
    return bool((products / np.outer(lengths, lengths)).min(initial=1.0) < _CONTRADICTION)


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
    now = 1.0 + max(
        (each[_HISTORY] for each in after.values() if len(each) > _HISTORY), default=0
    )
    for number, (group, figures) in enumerate(zip(groups, measured.tolist(), strict=True)):
        for name in group:
            each = after.get(name, np.array(_TYPICAL))
            each[_ROUNDS] += 1
            place = [now, float(number), *figures]
            after[name] = np.concatenate([each[:_HISTORY], place, each[_HISTORY:]])
    return _fitted(after, since=now - config.window)


def _fitted(memory: Mapping[str, Values], *, since: float) -> dict[str, Values]:
    """Return the memory with the places after ``since`` alone, and what they say of each."""
    histories = {}
    for name, each in memory.items():
        history = each[_HISTORY:].reshape(-1, _PLACE)
        histories[name] = history[history[:, 0] > since]
    seen = [name for name in sorted(histories) if len(histories[name])]
    window = Window.of([histories[name] for name in seen])
    figures = np.stack([alignments(window), spreads(window)], axis=1)
    after = {
        name: np.concatenate([each[:_HISTORY], histories[name].ravel()])
        for name, each in memory.items()
    }
    for name, found in zip(seen, figures, strict=True):
        after[name][:_ROUNDS] = found
    return after


def _measure(means: Rows, weights: Values) -> Values:
    """Return each group's place along the main direction and spread around the centre, (g, 2).

    The direction is the first principal one of the means cut to their median length, so that
    no loud group has one of its own; its sign is left to the regression. The centre is the
    geometric median of the trusted groups; the spread is |u - c|^2 over its median.
    """
    weights = weights if weights.sum() > 0 else np.ones(means.n)
    centre, _ = geometric_median(squared_distances(means), weights / weights.sum())
    products = _gram(means)
    lengths = np.sqrt(np.maximum(np.diag(products), 0.0))
    cut = np.minimum(1.0, _middle(lengths) / np.maximum(lengths, _NOTHING))
    along = products @ (cut * np.linalg.eigh(products * np.outer(cut, cut))[1][:, -1])
    along /= max(float(np.sqrt(np.mean(along**2))), _NOTHING)
    squares = np.diag(products) - 2 * products @ centre + float(centre @ products @ centre)
    spread = np.maximum(squares, 0.0)
    spread /= max(_middle(spread), _NOTHING)
    bounded = [np.clip(along, -_LOUDEST, _LOUDEST), np.minimum(spread, _BOUND)]
    return np.stack(bounded, axis=1)


def _gram(means: Rows) -> Values:
    total = np.zeros((means.n, means.n))
    for block in blocks(means):
        part = block.astype(np.float64)
        total += part @ part.T
    return total


def _middle(values: Values) -> float:
    return float(np.median(values))


def _deviations(values: Values, *, floor: float) -> Values:
    """Return by how many robust deviations each value is above the median.

    The deviation is that of the lower half: attackers widen the upper half of the spreads.
    """
    centre = _middle(values)
    spread = 1.4826 * _middle(np.abs(values[values <= centre] - centre))
    return np.asarray((values - centre) / max(spread, floor), np.float64)


def _shuffled(names: Sequence[str], seed: bytes) -> list[str]:
    keys = keystream(seed, 2 * len(names)).view(np.uint64).tolist()
    return [name for _, name in sorted(zip(keys, names, strict=True))]
