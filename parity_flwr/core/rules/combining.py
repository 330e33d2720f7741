"""Linear combinations of rows: one vector of them, or rows of a new matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.reading import Rows, blocks, tiles
from parity_flwr.core.rows import take_rows
from parity_flwr.core.rules.protocol import Values, Vector

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_CHECKED = 1 << 20  # numbers at once
_LARGEST = 1e30  # larger coefficients meet rows of 1e-30: a product for float64


def combine_rows(rows: Rows, coefficients: Values) -> Vector:
    """Return sum_k c_k x_k, float32, shape (d,), in one reading of the rows.

    Parameters
    ----------
    rows : Rows
        n finite rows of length d.
    coefficients : ndarray of float64, shape (n,)
        c, finite, of any sign and sum.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> combine_rows(MatrixRows(np.array([[1.0, 2.0], [3.0, 8.0]])), np.array([0.5, 0.5]))
    array([2., 5.], dtype=float32)
    """
    used = np.flatnonzero(coefficients)
    if len(used) < rows.n:
        rows, coefficients = take_rows(rows, used), coefficients[used]
    if np.abs(coefficients).max(initial=0.0) < _LARGEST:
        result = _summed(rows, coefficients)
        if _is_finite(result):
            return result
    return _summed_exactly(rows, coefficients)


def _is_finite(vector: Vector) -> bool:
    """Return whether all numbers are finite; a mask as long as the vector would count."""
    parts = range(0, len(vector), _CHECKED)
    return all(bool(np.isfinite(vector[k : k + _CHECKED]).all()) for k in parts)


def _summed(rows: Rows, coefficients: Values) -> Vector:
    result, narrow = np.zeros(rows.d, np.float32), coefficients.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for first, start, block in tiles(rows):
            result[start : start + block.shape[1]] += narrow[first : first + len(block)] @ block
    return result


def _summed_exactly(rows: Rows, coefficients: Values) -> Vector:
    """Return the sum in float64; what does not fit float32 saturates."""
    result, start = np.empty(rows.d, np.float32), 0
    for block in blocks(rows):
        stop = start + block.shape[1]
        _multiply_exactly(coefficients[None], block, result[None, start:stop])
        start = stop
    return result


class MixedRows:
    """Linear combinations of other rows as rows: A X for an (m, n) matrix A.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> rows = MixedRows(MatrixRows(np.eye(2)), np.array([[0.5, 0.5]]))
    >>> rows.n, rows.block(0, 2).tolist()
    (1, [[0.5, 0.5]])
    """

    def __init__(self, rows: Rows, mixing: Values) -> None:
        self._rows = rows
        self._mixing = mixing

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self._mixing)

    @property
    def d(self) -> int:
        """Length of a row."""
        return self._rows.d

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the columns [start, stop) of all rows, shape (n, stop - start), read-only."""
        block = self._rows.block(start, stop)
        mixed = np.empty((self.n, block.shape[1]), np.float32)
        _multiply(self._mixing, block, mixed)
        mixed.flags.writeable = False
        return mixed


def _multiply(left: Values, block: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write left @ block to ``out``; what does not fit float32 saturates."""
    if np.abs(left).max(initial=0.0) < _LARGEST:
        with np.errstate(over="ignore", invalid="ignore"):
            np.matmul(left.astype(np.float32), block, out=out)
        if np.isfinite(out).all():
            return
    _multiply_exactly(left, block, out)


def _multiply_exactly(
    left: Values, block: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    product = left @ block.astype(np.float64)
    out[...] = np.clip(product, -_FLOAT32_MAX, _FLOAT32_MAX)
