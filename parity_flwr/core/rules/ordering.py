"""Order statistics of columns: sorting networks for few rows, numpy's sort for many."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.rows import Rows, blocks
from parity_flwr.core.rules.protocol import Vector

Block = NDArray[np.float32]

_NETWORK = 24  # up to so many rows a network of minima and maxima beats a sort (measured)
_LEAST_READ, _MOST_READ = 2 << 20, 8 << 20  # bytes; what is read at once, 2^12 wide if it can
_CHUNK_BYTES = 1 << 18  # what is sorted at once stays in the second-level cache


def reduce_columns(
    rows: Rows, reduce: Callable[[Block], Block], *, ranks: tuple[int, int]
) -> Vector:
    """Return ``reduce`` of the order statistics of every column, float32, shape (d,).

    Parameters
    ----------
    rows : Rows
        n rows of length d.
    reduce : callable
        From the wanted order statistics, ascending, shape (stop - start, width), to (width,).
    ranks : (int, int)
        Which ones: [start, stop) of 0 (smallest) to n - 1.
    """
    result = np.empty(rows.d, np.float32)
    width = max(_CHUNK_BYTES // (4 * rows.n), 64)
    scratch = np.empty((2, width * rows.n), np.float32)
    begin = 0
    for block in blocks(rows, max_bytes=min(_MOST_READ, max(_LEAST_READ, rows.n << 14))):
        for start in range(0, block.shape[1], width):
            chunk = block[:, start : start + width]
            stop = begin + start + chunk.shape[1]
            result[begin + start : stop] = reduce(_ordered(chunk, ranks, scratch))
        begin += block.shape[1]
    return result


def _ordered(chunk: Block, ranks: tuple[int, int], scratch: Block) -> Block:
    if len(chunk) <= _NETWORK:
        return _by_network(chunk, ranks)
    near, columns = scratch[0, : chunk.size], scratch[1, : chunk.size]
    near, columns = near.reshape(chunk.shape), columns.reshape(chunk.T.shape)
    near[...] = chunk  # a transpose of rows that are far apart misses the cache every time
    columns[...] = near.T
    columns.sort(axis=1)
    return columns.T[ranks[0] : ranks[1]]


def _by_network(chunk: Block, ranks: tuple[int, int]) -> Block:
    rows = list(chunk.copy())
    spare = np.empty(chunk.shape[1], np.float32)
    for low, high in comparators(len(chunk), *ranks):
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return np.stack(rows[ranks[0] : ranks[1]])


@cache
def comparators(n: int, start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """Return Batcher's odd-even merge network for n inputs, as far as the ranks need it.

    Knuth, TAOCP vol. 3, 5.2.2, Algorithm M (merge exchange). A comparator stays only if one
    of its outputs reaches a wanted rank.

    Examples
    --------
    >>> comparators(3, 0, 3), len(comparators(3, 0, 1))
    (((0, 2), (0, 1), (1, 2)), 2)
    """
    wanted = set(range(start, stop))
    kept = []
    for low, high in reversed(_merge_exchange(n)):
        if low in wanted or high in wanted:
            wanted |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def _merge_exchange(n: int) -> list[tuple[int, int]]:
    top = 1 << max(0, (n - 1).bit_length() - 1)
    pairs, p = [], top
    while p > 0 and n > 1:
        q, r, distance = top, 0, p
        while True:
            pairs += [(i, i + distance) for i in range(n - distance) if i & p == r]
            if q == p:
                break
            distance, q, r = q - p, q >> 1, p
        p >>= 1
    return pairs
