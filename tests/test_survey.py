"""The rule's one reading of the updates, exact for few and sketched for many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.distances import norms
from parity_flwr.core.measure import Figures, NeighbourRule
from parity_flwr.core.recollection import mutual_agreement
from parity_flwr.core.rows import BufferRows, MatrixRows, Rows
from parity_flwr.core.sketch import UpdateSketch
from parity_flwr.core.survey import survey

SEED = bytes(range(32))


def crowd(n: int = 40, d: int = 50_000) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def measured(rows: Rows, config: RobustnessConfig) -> list[Figures]:
    names = [f"client-{k}" for k in range(rows.n)]
    figures, _ = NeighbourRule(config).measure(
        rows, identities=names, trust=np.ones(rows.n), memory={}, secret=SEED
    )
    return figures


def test_one_reading_sees_what_each_part_sees_alone() -> None:
    matrix = crowd(300, 3000)
    rows, sketch = BufferRows([[row] for row in matrix]), UpdateSketch(SEED, 64)
    chosen = np.array([0, 5, 1747, 1748, 2999])
    seen = survey(rows, sketch=sketch, coordinates=chosen)
    np.testing.assert_array_equal(seen.norms, norms(rows))
    np.testing.assert_array_equal(seen.sketches, sketch.apply(rows))
    np.testing.assert_array_equal(seen.columns, matrix[:, chosen])


def test_many_are_compared_by_their_sketches_and_few_exactly() -> None:
    matrix = crowd()
    matrix[3] *= 3
    matrix[7] = matrix[8]
    rows = MatrixRows(matrix)
    exact = measured(rows, RobustnessConfig(exact_replies=40))
    sketched = measured(rows, RobustnessConfig(exact_replies=39))
    plain = measured(rows, RobustnessConfig(exact_replies=0, sketch_size=0))
    for one, other, third in zip(exact, sketched, plain, strict=True):
        assert other.rho == pytest.approx(one.rho, rel=0.05)
        assert other.rho != one.rho
        assert (third.rho, third.norm) == (one.rho, one.norm)
        assert other.norm == one.norm
    assert sketched[3].deviation == exact[3].deviation == 1.0


def test_agreement_of_many_is_that_of_few() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 2048)) + rng.normal(size=2048)
    assert abs(mutual_agreement(vectors) - mutual_agreement(vectors[:40])) < 0.05
