"""How examples are divided among clients: evenly, or with skewed classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError

MAX_DRAWS = 10_000
Parts = tuple[NDArray[np.int64], ...]


def iid(labels: NDArray[np.int64], *, parts: int, rng: np.random.Generator) -> Parts:
    """Divide the examples evenly at random.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        One label for each example; only n matters.
    parts : int
        Number of clients, from 1 to n.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of ndarray of int64
        The indices of each client, ascending; together a partition of range(n). Sizes
        differ by at most 1.
    """
    require_parts(parts, len(labels))
    shuffled = rng.permutation(len(labels))
    return tuple(np.sort(part) for part in np.array_split(shuffled, parts))


def dirichlet(
    labels: NDArray[np.int64],
    *,
    parts: int,
    alpha: float,
    min_size: int = 1,
    rng: np.random.Generator,
) -> Parts:
    """Divide each class by shares drawn from Dirichlet(alpha, ..., alpha).

    Hsu, Qi and Brown 2019: the smaller alpha, the fewer classes a client has. Drawn again
    until every client has ``min_size`` examples.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        One label for each example.
    parts : int
        Number of clients, from 1 to n.
    alpha : float
        Concentration, above 0.
    min_size : int
        Fewest examples of a client; ``parts * min_size`` must not exceed n.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of ndarray of int64
        The indices of each client, ascending; together a partition of range(n).

    Raises
    ------
    ConfigError
        If an argument is out of range, or no draw of 10 000 reaches ``min_size``.
    """
    require_parts(parts, len(labels))
    require_dirichlet(len(labels), parts=parts, alpha=alpha, min_size=min_size)
    for _ in range(MAX_DRAWS):
        drawn = _draw(labels, parts=parts, alpha=alpha, rng=rng)
        if min(map(len, drawn)) >= min_size:
            return drawn
    raise ConfigError(
        f"each of {parts} clients needs {min_size} of {len(labels)} examples",
        came=f"none such in {MAX_DRAWS} draws with alpha={alpha}",
        action="raise alpha, or lower min_size or the number of clients",
    )


def _draw(
    labels: NDArray[np.int64], *, parts: int, alpha: float, rng: np.random.Generator
) -> Parts:
    pieces: list[list[NDArray[np.int64]]] = [[] for _ in range(parts)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(parts, alpha))
        cuts = (np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for piece, part in zip(pieces, np.split(members, cuts), strict=True):
            piece.append(part)
    return tuple(np.sort(np.concatenate(piece)) for piece in pieces)


def require_parts(parts: int, examples: int) -> None:
    """Refuse a number of clients that the examples do not go round."""
    if not 1 <= parts <= examples:
        raise ConfigError(
            f"{examples} examples can be divided among 1 to {examples} clients",
            came=f"{parts}",
            action="change the number of clients",
        )


def require_dirichlet(examples: int, *, parts: int, alpha: float, min_size: int) -> None:
    """Refuse a concentration that is not above 0, and a least size that is too large."""
    if not 0 < alpha < float("inf"):
        raise ConfigError(
            "alpha needs a number above 0", came=f"{alpha}", action="change alpha"
        )
    if not 0 <= min_size * parts <= examples:
        raise ConfigError(
            f"min_size needs a number from 0 to {examples // parts}",
            came=f"{min_size}",
            action="change min_size",
        )
