"""How often a drawn committee is blocked, against counting all draws."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest

from parity_flwr.core.committee import blocking_probability, committee_size
from parity_flwr.errors import ConfigError


def test_the_chance_of_a_blocked_committee_by_counting() -> None:
    draws = list(combinations(range(7), 4))  # of 7 with liars 0 and 1, two liars block
    blocked = sum(len({0, 1} & set(draw)) >= 2 for draw in draws)
    assert blocking_probability(7, 2, size=4) == Fraction(blocked, len(draws))
    assert blocking_probability(7, 2, size=1) == Fraction(2, 7)
    assert blocking_probability(7, 0, size=5) == 0
    assert blocking_probability(7, 7, size=5) == 1


def test_the_protocols_example_of_a_small_committee() -> None:
    # PROTOCOL.md: 10 of 100 with 30 liars is blocked in 35 % of the draws.
    assert float(blocking_probability(100, 30, size=10)) == pytest.approx(0.346, abs=0.001)


def test_the_size_follows_from_the_liars_assumed() -> None:
    size = committee_size(100, 20, risk=Fraction(1, 100))
    assert blocking_probability(100, 20, size=size) <= Fraction(1, 100)
    assert all(blocking_probability(100, 20, size=s) > Fraction(1, 100) for s in range(4, size))
    with pytest.raises(ConfigError, match="fewer liars"):
        committee_size(10, 9, risk=Fraction(1, 100))
    with pytest.raises(ConfigError, match="size <= population"):
        blocking_probability(5, 1, size=6)
