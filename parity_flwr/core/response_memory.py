"""What the response design remembers of each client between rounds.

A client's entry is one vector: eleven numbers (its slot, updates seen, rank balance, answers
to the model's steps, how many of them, its share, mean loudness, the same at the outset, and
three sums over what the model's steps did for it), then three sketches (the last update's,
their decayed mean S, the direction memory T), then for every slot the mean cosine of noise
with that slot's client, then how often the two met. The entry under the empty name holds
the authority of the common direction, the number of slots and the sketch's size; with root
data also how many root updates were seen, and the decayed mean of their sketches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Memory = Mapping[str, Values]

_COMMON = ""  # no identity is empty
_NUMBERS = 11
_PLAIN = 3  # common numbers without root data


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is known of n clients; zeros (a share of 1) where nothing is."""

    slots: NDArray[np.intp]  # (n,)
    counts: Values  # (n,), updates seen
    balance: Values  # (n,), in [-1, 1]
    response: Values  # (n,), in [-1, 1]
    answers: Values  # (n,), how many made the response
    share: Values  # (n,), in (0, 1]
    loudness: Values  # (n,), norms in medians
    outset: Values  # (n,), the same over the first updates
    served: Values  # (n, 3), sums of update times step, update squared, step squared
    latest: Values  # (n, size), the last update's sketch
    means: Values  # (n, size), S
    directions: Values  # (n, size), T
    pairs: Values  # (n, n), mean cosine of innovations
    met: Values  # (n, n), how many made it
    authority: float
    root: Values = field(default_factory=lambda: np.zeros(0))  # (size,), (0,) without one
    rooted: int = 0  # root updates in it


def recall(memory: Memory, identities: Sequence[str], *, size: int) -> Past:
    """Return what the memory holds of these clients; another sketch size starts anew.

    Examples
    --------
    >>> past = recall({}, ["a", "b"], size=2)
    >>> past.slots.tolist(), past.share.tolist(), past.means.shape
    ([0, 1], [1.0, 1.0], (2, 2))
    """
    known, (authority, used) = _known(memory, size)
    rooted, root = recall_root(memory, size=size)
    entries = [known.get(name) for name in identities]
    fresh = iter(range(used, used + len(entries)))
    slots = [next(fresh) if each is None else int(each[0]) for each in entries]
    blank = np.zeros(_NUMBERS + 3 * size)
    blank[5] = 1.0
    rows = np.stack([blank if e is None else e[: blank.size] for e in entries])
    sketches = rows[:, _NUMBERS:].reshape(len(rows), 3, size)
    pairs, met = _pairs(entries, np.array(slots), blank.size)
    return Past(
        slots=np.array(slots, np.intp),
        counts=rows[:, 1],
        balance=rows[:, 2],
        response=rows[:, 3],
        answers=rows[:, 4],
        share=rows[:, 5],
        loudness=rows[:, 6],
        outset=rows[:, 7],
        served=rows[:, 8:_NUMBERS],
        latest=sketches[:, 0],
        means=sketches[:, 1],
        directions=sketches[:, 2],
        pairs=pairs,
        met=met,
        authority=authority,
        root=root,
        rooted=rooted,
    )


def keep(memory: Memory, identities: Sequence[str], past: Past) -> dict[str, Values]:
    """Return the memory with these clients' entries as they are now; others stay."""
    size = past.means.shape[1]
    known, (_, used) = _known(memory, size)
    slots = max(used, int(past.slots.max()) + 1)
    result = {
        **known,
        _COMMON: _common(past.authority, slots, past.root, past.rooted, size=size),
    }
    numbers = np.column_stack(
        [
            past.slots,
            past.counts,
            past.balance,
            past.response,
            past.answers,
            past.share,
            past.loudness,
            past.outset,
            past.served,
        ]
    )
    sketches = np.concatenate([past.latest, past.means, past.directions], axis=1)
    for k, name in enumerate(identities):
        table = np.zeros((2, slots))
        if name in known:
            old = known[name][_NUMBERS + 3 * size :].reshape(2, -1)
            table[:, : old.shape[1]] = old
        table[:, past.slots] = past.pairs[k], past.met[k]
        result[name] = np.concatenate([numbers[k], sketches[k], table.ravel()])
    return result


def _known(memory: Memory, size: int) -> tuple[Memory, tuple[float, int]]:
    """Return the entries of this size, the authority and the number of slots."""
    common = memory.get(_COMMON)
    if common is None or common.size not in (_PLAIN, _PLAIN + 1 + size) or common[2] != size:
        return {}, (0.0, 0)
    return memory, (float(common[0]), int(common[1]))


def recall_root(memory: Memory, *, size: int) -> tuple[int, Values]:
    """Return how many root updates the memory holds, and their mean sketch.

    Examples
    --------
    >>> recall_root({}, size=2)
    (0, array([], dtype=float64))
    """
    known, _ = _known(memory, size)
    if _COMMON not in known or known[_COMMON].size == _PLAIN:
        return 0, np.zeros(0)
    common = known[_COMMON]
    return int(common[_PLAIN]), common[_PLAIN + 1 :]


def keep_root(memory: Memory, rooted: int, root: Values, *, size: int) -> dict[str, Values]:
    """Return the memory with this mean of so many root updates; with none, without one."""
    known, (authority, used) = _known(memory, size)
    return {**known, _COMMON: _common(authority, used, root, rooted, size=size)}


def _common(authority: float, slots: int, root: Values, rooted: int, *, size: int) -> Values:
    plain = np.array([authority, slots, size], np.float64)
    return np.concatenate([plain, [rooted], root]) if rooted else plain


def _pairs(
    entries: Sequence[Values | None], slots: NDArray[np.intp], start: int
) -> tuple[Values, Values]:
    tables = np.zeros((2, len(entries), len(entries)))
    for k, entry in enumerate(entries):
        if entry is not None:
            table = entry[start:].reshape(2, -1)
            inside = slots < table.shape[1]
            tables[:, k, inside] = table[:, slots[inside]]
    return tables[0], tables[1]
