"""Sums under central privacy: no row, however small its numbers, passes the bound."""

from __future__ import annotations

import numpy as np
import pytest

from parity_flwr.core.privacy.clipping import clip_row, clipped_sum, row_norms
from parity_flwr.core.rows import MatrixRows


@pytest.mark.parametrize("size", [1e-30, 1e-23, 1e-3, 1.0, 1e15])
def test_no_row_passes_the_bound(size: float) -> None:
    row = (size * np.random.default_rng(1).normal(size=(1, 1000))).astype(np.float32)
    bound = float(size)
    norms = row_norms(MatrixRows(row))
    assert norms[0] == pytest.approx(np.linalg.norm(row.astype(np.float64)), rel=1e-12)
    total = clipped_sum(MatrixRows(row), norms=norms, bound=bound)
    assert 0.999 * bound < np.linalg.norm(total) <= bound
    np.testing.assert_allclose(total, clip_row(row[0], bound=bound), rtol=1e-12)
