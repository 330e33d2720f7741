"""Aggregation rules: answers by hand, validity, and the kernels under them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.rules import (
    AggregationRule,
    Bulyan,
    CentredClipping,
    CoordinateMedian,
    FLTrust,
    GeometricMedian,
    Krum,
    Mean,
    MultiKrum,
    NearestNeighbourMixing,
    NormClipping,
    TrimmedMean,
)
from parity_flwr.core.rules.ordering import comparators, reduce_columns
from parity_flwr.errors import ConfigError


def on_line(rule: AggregationRule, *points: float, weights: list[float] | None = None) -> float:
    rows = MatrixRows(np.array(points, np.float32)[:, None])
    given = None if weights is None else np.array(weights)
    return float(rule.aggregate(rows, weights=given)[0])


@pytest.mark.parametrize(
    ("rule", "points", "expected"),
    [
        (Mean(), (1, 2, 6), 3),
        (CoordinateMedian(), (1, 2, 6), 2),
        (CoordinateMedian(), (1, 2, 6, 7), 4),
        (TrimmedMean(byzantine=1), (1, 2, 6, 90), 4),
        (TrimmedMean(byzantine=1), (-90, 2, 90), 2),
        (Krum(byzantine=0), (0, 1, 3), 1),  # one neighbour counts: 0 and 1 tie
        (Krum(byzantine=1), (0, 4, 5, 6, 90), 5),
        (MultiKrum(byzantine=1), (0, 4, 5, 6, 90), 3.75),
        (MultiKrum(byzantine=1, selected=2), (0, 4, 5, 6, 90), 5.5),
        (GeometricMedian(), (1, 4, 7), 4),  # byzfl's three iterations give 3.79
        (GeometricMedian(), (0, 0, 0, 90), 0),
        (CentredClipping(radius=3, steps=1), (-2, -1, 0, 1.5, 90), 0.1),
        (CentredClipping(radius=3, steps=1), (-2, -1, 0, 1.5, 3e38), 0.1),
        (CentredClipping(steps=1), (-2, -1, 0, 1.5, 90), -0.6),
        (NearestNeighbourMixing(inner=Mean(), byzantine=1), (0, 2, 4, 90), 9.5),
        (NearestNeighbourMixing(inner=TrimmedMean(byzantine=1), byzantine=1), (0, 2, 90), 1),
        (Bulyan(byzantine=1), (1, 2, 3, 4, 5, 90, -90), 3),
        (NormClipping(length=2), (1, -4, 6, 0), 0.25),
        (NormClipping(), (1, -4, 7), 1 / 3),
        (FLTrust(), (5, -9, 2), 2),
        (FLTrust(), (-5, -9, 2), 0),  # nobody agrees
        (FLTrust(), (5, 9, 0), 0),  # the root says nothing
        (FLTrust(root=0), (2, 5, 0), 2),
    ],
)
def test_by_hand(rule: AggregationRule, points: tuple[float, ...], expected: float) -> None:
    assert on_line(rule, *points) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_fltrust_weighs_by_cosine_and_rescales() -> None:
    rows = MatrixRows(np.array([[9.0, 9.0], [0.5, 0.0], [1.0, 0.0]]))
    half = np.sqrt(0.5)
    expected = np.array([half * half + 1, half * half]) / (half + 1)
    np.testing.assert_allclose(FLTrust().aggregate(rows), expected, rtol=1e-6)


def test_weights_by_hand() -> None:
    assert on_line(Mean(), 0, 4, weights=[3, 1]) == 1
    assert on_line(MultiKrum(byzantine=1), 0, 4, 5, 6, 90, weights=[0, 2, 1, 1, 9]) == 4.75
    assert on_line(GeometricMedian(), 0, 4, 9, weights=[5, 1, 1]) == 0
    assert on_line(Mean(), 2, 6, weights=[0, 0]) == 4
    assert on_line(FLTrust(), 5, 9, 2, weights=[1, 0, 0]) == 2


def test_nobody_can_move_the_centre_by_more_than_its_share_of_the_radius() -> None:
    rule = CentredClipping(radius=1.0, steps=1)
    for liar in (10.0, 1e5, 1e20, 3e38):
        assert on_line(rule, -0.1, 0, 0.3, 0.5, liar) == pytest.approx(0.34, rel=2e-3)


@pytest.mark.parametrize(
    ("rule", "n", "bound"),
    [
        (TrimmedMean(byzantine=2), 4, "n > 2f; got n=4, f=2"),
        (Krum(byzantine=1), 4, r"n > 2f \+ 2; got n=4, f=1"),
        (MultiKrum(byzantine=1), 4, r"n > 2f \+ 2; got n=4, f=1"),
        (MultiKrum(byzantine=0, selected=6), 5, "n >= selected; got n=5"),
        (Bulyan(byzantine=1), 6, r"n >= 4f \+ 3; got n=6, f=1"),
        (NearestNeighbourMixing(inner=Mean(), byzantine=2), 4, "n > 2f; got n=4, f=2"),
    ],
)
def test_too_few_updates_are_refused_and_enough_are_not(
    rule: AggregationRule, n: int, bound: str
) -> None:
    matrix = np.random.default_rng(0).normal(size=(n + 1, 3))
    assert rule.aggregate(MatrixRows(matrix)).shape == (3,)
    with pytest.raises(ConfigError, match=f"{bound}.*lower f or wait for more clients"):
        rule.aggregate(MatrixRows(matrix[:n]))


@pytest.mark.parametrize("rule", [Mean(), CoordinateMedian(), GeometricMedian(), FLTrust()])
def test_no_updates_are_refused(rule: AggregationRule) -> None:
    with pytest.raises(ConfigError):
        rule.aggregate(MatrixRows(np.zeros((0, 3))))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, np.nan], [np.inf, 1.0]])
def test_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="2 finite weights"):
        on_line(Mean(), 1, 2, weights=weights)


def test_bad_settings_are_refused() -> None:
    for build in (TrimmedMean, Krum, MultiKrum, Bulyan):
        with pytest.raises(ConfigError, match="byzantine >= 0"):
            build(byzantine=-1)
    with pytest.raises(ConfigError, match="integer"):
        Krum(byzantine=0.2)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="selected >= 1"):
        MultiKrum(byzantine=1, selected=0)
    for value in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ConfigError, match="length > 0"):
            NormClipping(length=value)
        with pytest.raises(ConfigError, match="radius > 0"):
            CentredClipping(radius=value)
    with pytest.raises(ConfigError, match="root's row"):
        on_line(FLTrust(root=3), 1, 2)


@pytest.mark.parametrize("n", range(1, 8))
def test_the_network_sorts_all_zeros_and_ones(n: int) -> None:
    # Knuth's zero-one principle: then it sorts everything.
    for start, stop in ((0, n), (n // 2, n // 2 + 1), (0, 1)):
        for bits in itertools.product((0, 1), repeat=n):
            values = list(bits)
            for low, high in comparators(n, start, stop):
                if values[low] > values[high]:
                    values[low], values[high] = values[high], values[low]
            assert values[start:stop] == sorted(bits)[start:stop]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 40))
def test_order_statistics_for_few_and_for_many_rows(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-3, 3, (n, d)).astype(np.float32)
    rank = int(rng.integers(n))
    result = reduce_columns(MatrixRows(matrix), lambda x: x[0], ranks=(rank, rank + 1))
    np.testing.assert_array_equal(result, np.sort(matrix, axis=0)[rank])


def test_order_statistics_of_more_columns_than_one_block() -> None:
    matrix = np.random.default_rng(1).normal(size=(30, 70_001)).astype(np.float32)
    rule = CoordinateMedian()
    for n in (9, 30):
        result = rule.aggregate(MatrixRows(matrix[:n]))
        np.testing.assert_allclose(result, np.median(matrix[:n], axis=0), rtol=1e-6)
