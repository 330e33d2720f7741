"""Clipping: no unit contributes more than the bound, whatever it sends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.parameters import positive
from parity_flwr.core.rows import Rows, blocks
from parity_flwr.errors import DataError

Values = NDArray[np.float64]

_SHRINK = 1 - 1e-9  # rounding must not leave a row above the bound


def clip_row(row: NDArray[Any], *, bound: float) -> Values:
    """Return row * min(1, bound / |row|_2), float64, same shape; a zero row stays zero.

    The result's norm never exceeds the bound, not even by rounding.

    Raises
    ------
    DataError
        If the row holds NaN or an infinity: min(1, NaN) would let it pass.
    ConfigError
        If the bound is not above 0 and finite.

    Examples
    --------
    >>> clip_row(np.array([3.0, 4.0]), bound=1.0).round(6)
    array([0.6, 0.8])
    >>> clip_row(np.zeros(2), bound=1.0)
    array([0., 0.])
    """
    positive("the clipping bound", bound)
    values = np.asarray(row, np.float64)
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest):
        raise DataError(
            "an update that is to be clipped needs finite numbers",
            came="NaN or an infinity",
            action="refuse it before it is clipped",
        )
    unit = values / largest if largest > 0 else values  # or squares could overflow
    norm = float(np.linalg.norm(unit))
    if largest * norm <= bound * _SHRINK:
        return values.copy()
    return unit * (bound / norm * _SHRINK)


def row_norms(rows: Rows) -> Values:
    """Return each row's Euclidean norm, shape (n,), all of it in float64.

    The distances' own norms are good to six digits, and zero for very small numbers: enough
    to judge by, not to bound a sensitivity.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> rows = MatrixRows(np.array([[3e-30, 4e-30]], np.float32))
    >>> f"{row_norms(rows)[0]:.3g}"
    '5e-30'
    """
    total = np.zeros(rows.n)
    for block in blocks(rows):
        wide = block.astype(np.float64)
        total += np.einsum("ij,ij->i", wide, wide)
    return np.asarray(np.sqrt(total), np.float64)


def clip_factors(norms: Values, *, bound: float) -> Values:
    """Return min(1, bound / norm) for each norm, slightly less; 1 for norms of 0."""
    positive("the clipping bound", bound)
    factors = np.ones(len(norms))
    long = norms > bound * _SHRINK
    factors[long] = bound / norms[long] * _SHRINK
    return factors


def clipped_sum(rows: Rows, *, norms: Values, bound: float) -> Values:
    """Return the sum of the clipped rows, float64, shape (d,), in one reading of them.

    Parameters
    ----------
    rows : Rows
        n finite rows of length d.
    norms : ndarray of float64, shape (n,)
        Their Euclidean norms.
    bound : float
        The clipping bound.

    Raises
    ------
    DataError
        If a norm is NaN or infinite.

    Examples
    --------
    >>> from parity_flwr.core.rows import MatrixRows
    >>> rows = MatrixRows(np.array([[3.0, 4.0], [0.3, 0.4]]))
    >>> clipped_sum(rows, norms=np.array([5.0, 0.5]), bound=1.0).round(6)
    array([0.9, 1.2])
    """
    if not np.isfinite(norms).all():
        raise DataError(
            "updates that are to be clipped need finite norms",
            came="NaN or an infinity",
            action="refuse such updates before",
        )
    factors = clip_factors(norms, bound=bound)
    parts = [factors @ block.astype(np.float64) for block in blocks(rows)]
    return np.concatenate(parts) if parts else np.zeros(rows.d)
