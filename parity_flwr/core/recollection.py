"""What the neighbour rule remembers of each client's updates between rounds.

An entry is one vector: the direction memory T (size numbers), the distance memory S (size
numbers), the rank balance, and the number of updates seen. The entry under the empty name
holds the strongest agreement that any round has shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.sketch import shorten

Values = NDArray[np.float64]
Memory = Mapping[str, Values]

_TOP = ""  # no identity is empty
_ALONE = 1e-7  # a sum this short next to its terms is rounding
_FEWEST = 4  # fewer voices agree by chance


@dataclass(frozen=True)
class Recollection:
    """The memories of m clients, one row each."""

    directions: Values  # (m, size)
    means: Values  # (m, size)
    balance: Values  # (m,), in [-1, 1]


def recollect(
    memory: Memory,
    identities: Sequence[str],
    *,
    sketches: Values,
    balance: Values,
    voices: NDArray[np.bool_],
    decay: float,
) -> dict[str, Values]:
    """Return the memory after a round.

    S and the balance are exact decayed means: mean += rate (new - mean) with
    rate = (1 - decay)/(1 - decay^count). T follows T <- T + (1 - decay) kappa (new - T),
    where kappa in [0, 1] is this round's agreement over the strongest so far: near
    convergence honest updates cancel and point nowhere, and a plain mean would then set
    every client against the others.

    Parameters
    ----------
    memory : mapping
        After the round before; not changed. An entry of another length starts anew.
    identities : sequence of str
        Who sent each of the n updates.
    sketches : ndarray of float64, shape (n, size)
    balance : ndarray of float64, shape (n,)
        From :func:`parity_flwr.core.ranks.rank_balance`.
    voices : ndarray of bool, shape (n,)
        Whose updates make the agreement: working clients that have weight.
    decay : float
        In [0, 1); 1 is a plain mean without a direction memory.
    """
    agreed = mutual_agreement(sketches[voices])
    top = max(agreed, float(memory[_TOP][0]) if _TOP in memory else 0.0)
    kappa = agreed / top if top > 0 else 0.0
    result = {**memory, _TOP: np.array([top])}
    for identity, sketch, one_sided in zip(identities, sketches, balance, strict=True):
        old = _entry(memory.get(identity), sketch.size)
        result[identity] = _moved(old, sketch, float(one_sided), kappa, decay)
    return result


def _entry(old: Values | None, size: int) -> Values:
    return np.zeros(2 * size + 2) if old is None or old.size != 2 * size + 2 else old


def _moved(old: Values, sketch: Values, balance: float, kappa: float, decay: float) -> Values:
    size, count = sketch.size, old[-1] + 1.0
    rate = (1.0 - decay) / (1.0 - decay**count) if decay < 1 else 1.0 / count
    moved = old.copy()
    moved[:size] += (1.0 - decay) * kappa * (sketch - old[:size])
    moved[size:-2] += rate * (sketch - old[size:-2])
    moved[-2] += rate * (balance - old[-2])
    moved[-1] = count
    return np.asarray(moved, np.float64)


def recalled(
    memory: Memory, identities: Sequence[str], *, rounds: int
) -> tuple[NDArray[np.bool_], Recollection]:
    """Return who of the n has ``rounds`` updates in memory, and what is known of them."""
    known = np.array(
        [name in memory and memory[name][-1] >= rounds for name in identities], bool
    )
    chosen = [memory[name] for name, seen in zip(identities, known, strict=True) if seen]
    rows = np.stack(chosen) if chosen else np.zeros((0, 2))
    size = (rows.shape[1] - 2) // 2
    return known, Recollection(rows[:, :size], rows[:, size:-2], rows[:, -2])


def mutual_agreement(vectors: Values) -> float:
    """Return the median over rows of their median cosine with the others, at least 0.

    Examples
    --------
    >>> mutual_agreement(np.ones((4, 3)))
    1.0
    >>> mutual_agreement(np.eye(4))
    0.0
    """
    n = len(vectors)
    if n < _FEWEST:
        return 0.0
    cosines = cosine_matrix(shorten(vectors))
    others = cosines[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    return max(0.0, float(np.median(np.median(others, axis=1))))


def cosine_matrix(vectors: Values) -> Values:
    """Return all cosines, shape (n, n); 0 where a vector is zero."""
    units = unit_vectors(vectors)
    return np.asarray(np.clip(units @ units.T, -1.0, 1.0), np.float64)


def unit_vectors(vectors: Values) -> Values:
    """Return the vectors with length 1; zero ones stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return np.asarray(units, np.float64)


def support(directions: Values, trust: Values) -> Values:
    """Return the cosine of each direction with the trust-weighted sum of the others'.

    Each counts with unit length, so that a loud client has no louder say. Zero where either
    side is zero. Shapes (m, size) and (m,) to (m,), in [-1, 1].

    Examples
    --------
    >>> support(np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]), np.ones(3)).tolist()
    [0.0, 0.0, -1.0]
    """
    units = unit_vectors(directions)
    everybody = trust @ units
    all_toward, own = units @ everybody, trust * np.einsum("kj,kj->k", units, units)
    # ||s - t_k u_k||^2 = s.s - 2 t_k u_k.s + t_k^2 u_k.u_k, with s the sum of all t_j u_j
    squared = float(everybody @ everybody) - trust * (2 * all_toward - own)
    reach = np.sqrt(np.maximum(squared, 0.0))
    clear = reach > _ALONE * trust.sum()
    cosine = np.divide(all_toward - own, reach, out=np.zeros(len(trust)), where=clear)
    return np.asarray(np.clip(cosine, -1.0, 1.0), np.float64)
