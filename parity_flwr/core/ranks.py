"""How one-sided a client's numbers are among the others': a statistic that scale cannot move.

An attack that hides within the honest spread (ALIE) shifts every parameter a little to the
same side. Its distances look honest; its ranks do not, because an honest client is above the
others as often as below.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.rows import Rows, blocks

_DOMAIN = b"parity-flwr/ranks/1\x00"


def choose_coordinates(seed: bytes, *, d: int, count: int) -> NDArray[np.intp]:
    """Return ``count`` of d coordinates (all if there are fewer), secret, sorted."""
    key = int.from_bytes(hashlib.sha256(_DOMAIN + seed).digest()[:16], "little")
    if count >= d:
        return np.arange(d)
    rng = np.random.Generator(np.random.Philox(key=key))
    return np.sort(rng.choice(d, size=count, replace=False))


def gather(rows: Rows, coordinates: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the chosen columns of all rows, shape (n, len(coordinates))."""
    parts, start = [np.zeros((rows.n, 0), np.float32)], 0
    for block in blocks(rows):
        stop = start + block.shape[1]
        first, last = np.searchsorted(coordinates, (start, stop))
        parts.append(block[:, coordinates[first:last] - start])
        start = stop
    return np.concatenate(parts, axis=1)


def rank_balance(columns: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean over columns of (others below - others above)/(n - 1), in [-1, 1].

    Columns in which all rows are equal say nothing and are left out; ties count 0.

    Parameters
    ----------
    columns : ndarray of float32, shape (n, c)
        The chosen parameters of each update.

    Examples
    --------
    >>> rank_balance(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], np.float32)).tolist()
    [-1.0, 0.0, 1.0]
    """
    n = len(columns)
    if n < 2 or columns.shape[1] == 0:
        return np.zeros(n)
    balance = _below_minus_above(columns)
    live = balance.any(axis=0)
    if not live.any():
        return np.zeros(n)
    return np.asarray(balance[:, live].mean(axis=1) / (n - 1), np.float64)


def _below_minus_above(columns: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return, in every column, how many are smaller less how many are larger, shape (n, c).

    In sorted order a run of equal numbers from position a to b has a below and n - 1 - b
    above: a + b - (n - 1) for each of them.
    """
    n = len(columns)
    order = np.argsort(columns, axis=0, kind="stable")
    ordered = np.take_along_axis(columns, order, axis=0)
    position = np.arange(n)[:, None]
    starts = np.ones(columns.shape, bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    ends = np.ones(columns.shape, bool)
    ends[:-1] = starts[1:]
    first = np.maximum.accumulate(np.where(starts, position, 0), axis=0)
    last = np.minimum.accumulate(np.where(ends, position, n - 1)[::-1], axis=0)[::-1]
    balance = np.empty(columns.shape)
    np.put_along_axis(balance, order, (first + last - (n - 1)).astype(np.float64), axis=0)
    return balance
