"""The four dimensions from recorded facts (P-8 to P-11)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.config import Four
from parity_flwr.core.dimensions import (
    NEUTRAL,
    bounded_ratio,
    consistency,
    performance,
    quality,
    social,
)

EVEN: Four = (0.25, 0.25, 0.25, 0.25)
UNEVEN: Four = (0.4, 0.3, 0.2, 0.1)

facts = st.tuples(*[st.floats(0, 1)] * 4)


def test_performance_by_hand() -> None:
    assert performance(1.0, 0.5, 0.8, 0.0, weights=UNEVEN) == pytest.approx(0.71)


def test_quality_by_hand() -> None:
    assert quality(0.5, 1.0, 1.0, 0.5, weights=UNEVEN) == pytest.approx(0.75)


def test_consistency_by_hand() -> None:
    # 1/(1 + 1/4) = 0.8
    assert consistency(0.25, 0.5, 1.0, 0.0, weights=UNEVEN) == pytest.approx(0.67)


def test_social_by_hand() -> None:
    assert social(1.0, 0.0, 1.0, 0.0, weights=UNEVEN) == pytest.approx(0.6)
    assert social(peer_rating=1.0, weights=EVEN) == 0.625  # the rest was not recorded


@pytest.mark.parametrize("weights", [EVEN, UNEVEN, (1.0, 0.0, 0.0, 0.0)])
def test_a_network_without_social_events_is_neutral(weights: Four) -> None:
    assert social(weights=weights) == NEUTRAL


@pytest.mark.parametrize("formula", [performance, quality, social])
@given(facts)
def test_the_best_facts_give_one_and_none_more(
    formula: Callable[..., float], each: tuple[float, ...]
) -> None:
    assert formula(1.0, 1.0, 1.0, 1.0, weights=UNEVEN) == 1.0
    assert formula(0.0, 0.0, 0.0, 0.0, weights=UNEVEN) == 0.0
    assert min(each) - 1e-12 <= formula(*each, weights=UNEVEN) <= max(each) + 1e-12


@given(st.floats(0, 1e12))
def test_more_variance_is_never_more_consistent(variance: float) -> None:
    calm, wild = (consistency(v, 1.0, 1.0, 1.0, weights=EVEN) for v in (variance, variance + 1))
    assert 0.75 <= wild <= calm <= 1.0


@pytest.mark.parametrize("out_of_range", [7.0, -3.0, float("inf"), float("nan")])
def test_a_fact_out_of_range_counts_as_the_nearest_end(out_of_range: float) -> None:
    assert 0.0 <= quality(out_of_range, 1.0, 1.0, 1.0, weights=EVEN) <= 1.0


@pytest.mark.parametrize(
    ("value", "reference", "ratio"),
    [(3, 3, 0.5), (1, 4, 0.125), (6, 3, 1.0), (3e9, 1, 1.0), (0, 3, 0.5), (3, 0, 0.5)],
)
def test_bounded_ratios_by_hand(value: float, reference: float, ratio: float) -> None:
    assert bounded_ratio(value, reference) == ratio


@given(st.floats(0, 1e300), st.floats(0, 1e300))
def test_a_bounded_ratio_is_bounded(value: float, reference: float) -> None:
    assert 0.0 <= bounded_ratio(value, reference) <= 1.0
