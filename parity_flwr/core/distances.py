"""All distances between n updates from one or two readings of their memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.reading import Rows, blocks, tiles

_CANCELLED = 1e-2  # below this share of the norms a difference of them has lost its digits
_row_products: Callable[[Any, Any], Any] = getattr(
    np, "vecdot", lambda a, b: np.einsum("ij,ij->i", a, b)
)  # numpy 2's is three times faster
_SWEEPS = 40  # float32 spans 10^76: no more scales than this nest in each other
_SMALL = 1 << 20  # so many values in all cost nothing in float64


def squared_distances(rows: Rows) -> NDArray[np.float64]:
    """Return ||x_i - x_j||^2 for all pairs of rows, shape (n, n).

    ||a - b||^2 = ||a||^2 + ||b||^2 - 2 a.b cancels when a and b are close and far from the
    origin. So each block of columns is centred at one row before the float32 product, and
    blocks are summed in float64. A pair that still cancels (the first row was the outlier)
    is measured again, centred at a row of its own neighbourhood.

    Up to about a million values are multiplied in float64, where the order of the rows
    (clients' keys are random) changes a distance by 1e-14 of itself instead of 1e-6.

    Parameters
    ----------
    rows : Rows
        n finite rows of length d.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric, >= 0, with a zero diagonal; relative error about 1e-4 at most, 1e-12 of
        few values. Extra memory is under 64 MiB plus a few arrays of shape (n, n), whatever
        d is.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> squared_distances(MatrixRows(np.array([[0.0, 0.0], [3.0, 4.0]]))).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    if rows.n == 0:
        return np.zeros((0, 0))
    everybody = np.arange(rows.n)
    squared, doubtful = _distances(_centred_grams(rows, [everybody])[0])
    for _ in range(_SWEEPS):
        groups = list(_neighbourhoods(doubtful))
        if not groups:
            break
        for group, gram in zip(groups, _centred_grams(rows, groups), strict=True):
            _measure(squared, doubtful, group, gram)
    return squared


def norms(rows: Rows) -> NDArray[np.float64]:
    """Return the Euclidean norm of every row, float64, shape (n,), to about 6 digits.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> norms(MatrixRows(np.array([[3.0, 4.0]]))).tolist()
    [5.0]
    """
    total = np.zeros(rows.n)
    for first, _, block in tiles(rows):
        total[first : first + len(block)] += squared_lengths(block)
    return np.sqrt(total)


def squared_lengths(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return ||x_k||^2 of a block's rows, float64, shape (n,).

    One block is summed in float32 (squares do not cancel), what overflows in float64.
    """
    with np.errstate(over="ignore"):
        squares = np.asarray(_row_products(block, block), np.float64)
    far = ~np.isfinite(squares)
    if far.any():
        wide = block[far].astype(np.float64)
        squares[far] = np.einsum("ij,ij->i", wide, wide)
    return squares


def products(rows: Rows, row: int) -> NDArray[np.float64]:
    """Return every row's inner product with one of them, float64, shape (n,).

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> products(MatrixRows(np.array([[3.0, 4.0], [1.0, -1.0]])), 0).tolist()
    [25.0, -1.0]
    """
    total = np.zeros(rows.n)
    for block in blocks(rows):
        with np.errstate(over="ignore", invalid="ignore"):
            part = block @ block[row]
        if not np.isfinite(part).all():  # beyond float32, as in _gram
            part = block.astype(np.float64) @ block[row].astype(np.float64)
        total += part
    return total


def _measure(
    squared: NDArray[np.float64],
    doubtful: NDArray[np.bool_],
    group: NDArray[np.intp],
    gram: NDArray[np.float64],
) -> None:
    """Enter a group's distances where they were doubtful, and say which ones still are."""
    at = np.ix_(group, group)
    distance, cancelled = _distances(gram)
    known = ~doubtful[at]
    squared[at] = np.where(known, squared[at], distance)
    doubtful[at] = ~known & cancelled


def _distances(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return all squared distances by inner products, and which of them lost their digits."""
    norm = np.diagonal(gram)
    scale = np.add.outer(norm, norm)
    distance = scale - gram
    distance -= gram.T
    np.maximum(distance, 0.0, out=distance)
    np.fill_diagonal(distance, 0.0)
    scale *= _CANCELLED
    cancelled = distance < scale
    np.fill_diagonal(cancelled, False)
    return distance, cancelled


def _neighbourhoods(doubtful: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Yield disjoint groups of rows, each led by the row with the most doubtful pairs."""
    open_pairs = doubtful.copy()
    while open_pairs.any():
        centre = np.argmax(open_pairs.sum(axis=1))
        group = np.concatenate([[centre], np.flatnonzero(open_pairs[centre])])
        yield group
        open_pairs[group, :] = False
        open_pairs[:, group] = False


def _centred_grams(rows: Rows, groups: list[NDArray[np.intp]]) -> list[NDArray[np.float64]]:
    """Return each group's inner products relative to its first row, in one reading."""
    grams = [np.zeros((group.size, group.size)) for group in groups]
    product = _wide_gram if rows.n * rows.d <= _SMALL else _gram
    for block in blocks(rows):
        for group, gram in zip(groups, grams, strict=True):
            everything = group.size == rows.n and group[0] == 0  # no copy for the first sweep
            gram += product(block if everything else block[group])
    return grams


def _gram(block: NDArray[np.float32]) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        centred = block - block[0]
        product = centred @ centred.T
    if np.isfinite(product).all():
        return np.asarray(product)
    # Squares beyond 1e38 do not fit float32; a hostile row of 1e30 must not become NaN.
    return _wide_gram(block)


def _wide_gram(block: NDArray[np.float32]) -> NDArray[Any]:
    wide = block.astype(np.float64) - block[0]
    return np.asarray(wide @ wide.T)
