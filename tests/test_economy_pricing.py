"""P-29 and P-30: prices by hand, their limits, and the command line."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.cli.main import execute
from parity_flwr.core.economy.amounts import MAX_AMOUNT, MILLION, UNIT, scaled, tokens
from parity_flwr.core.economy.pricing import (
    MAX_COUNT,
    MAX_USE,
    Market,
    Usage,
    network_fee,
    task_price,
    total_cost,
    usage_costs,
)
from parity_flwr.errors import ConfigError


def test_prices_by_hand() -> None:
    assert task_price(100, Market(demand=0, supply=7)) == 100
    assert task_price(100, Market(demand=1, supply=2, complexity=2 * MILLION)) == 300
    # (1 + 3)^0.5 = 2, exactly
    assert task_price(100, Market(demand=3, supply=1, phi=500_000)) == 200
    # 10^18 sqrt(2), from its 40 known digits 1.4142135623730950488 01688...
    assert task_price(UNIT, Market(demand=1, supply=1, phi=500_000)) == 1414213562373095049


def test_a_half_unit_is_rounded_to_even() -> None:
    assert task_price(1, Market(demand=1, supply=2)) == 2
    assert task_price(5, Market(demand=0, supply=1, complexity=500_000)) == 2


@given(
    st.integers(0, 10**24),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.integers(1, 5),
    st.integers(0, 10 * MILLION),
)
def test_whole_exponents_agree_with_fractions(
    base: int, demand: int, supply: int, phi: int, complexity: int
) -> None:
    exact = base * (1 + Fraction(demand, supply)) ** phi * Fraction(complexity, MILLION)
    market = Market(demand=demand, supply=supply, phi=phi * MILLION, complexity=complexity)
    if exact > MAX_AMOUNT:
        with pytest.raises(ConfigError):
            task_price(base, market)
    else:
        assert abs(task_price(base, market) - exact) <= Fraction(1, 2)


@given(
    st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000), st.integers(1, MILLION)
)
def test_a_price_rises_with_demand(less: int, more: int, supply: int, phi: int) -> None:
    low, high = sorted((less, more))
    prices = [
        task_price(UNIT, Market(demand=demand, supply=supply, phi=phi))
        for demand in (low, high)
    ]
    assert UNIT <= prices[0] <= prices[1]


def test_limits() -> None:
    with pytest.raises(ConfigError, match="supply above 0"):
        task_price(1, Market(demand=1, supply=0))
    with pytest.raises(ConfigError, match="fit 128 bits"):
        task_price(UNIT, Market(demand=MAX_COUNT, supply=1, phi=100 * MILLION))
    for changes in ({"phi": 0}, {"demand": -1}, {"complexity": 101 * MILLION}):
        with pytest.raises(ConfigError):
            Market(**{"demand": 1, "supply": 1, **changes})
    with pytest.raises(ConfigError):
        Usage(cpu=MAX_USE + 1)


def test_the_cost_of_resources_by_hand() -> None:
    usage = Usage(
        cpu=MILLION, memory=MILLION, storage=MILLION, network=MILLION, cycles=1_000_000
    )
    # 1e-5 + 5e-5 + 1e-4 + 1e-4 + 1e-6 = 0.000261 tokens
    assert sum(usage_costs(usage).values()) == 261 * 10**12
    assert total_cost(usage) == 3132 * 10**11
    assert network_fee(usage) == 522 * 10**11


@given(*(st.integers(0, MAX_USE) for _ in range(4)), st.integers(0, MAX_COUNT))
def test_a_fifth_is_exact_for_any_use(
    cpu: int, memory: int, storage: int, network: int, cycles: int
) -> None:
    usage = Usage(cpu=cpu, memory=memory, storage=storage, network=network, cycles=cycles)
    assert 5 * total_cost(usage) == 6 * sum(usage_costs(usage).values())


@given(st.integers(-MAX_AMOUNT, MAX_AMOUNT))
def test_tokens_and_back(amount: int) -> None:
    text = tokens(amount)
    assert scaled(text.removeprefix("-"), decimals=18, name="x") == abs(amount)
    assert text.startswith("-") == (amount < 0)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", ".5", "1.", "1.0000001", "١", "1_0"])
def test_numbers_that_are_not_plain_decimals_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="at most 6 decimals"):
        scaled(text, decimals=6, name="phi")


def test_the_command_prices(capsys: pytest.CaptureFixture[str]) -> None:
    line = "price --base 2 --demand 3 --supply 1 --phi 0.5 --cpu-seconds 1 --json"
    assert execute(line.split()) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["task"] == str(4 * UNIT)
    assert (result["total"], result["fee"]) == ("12000000000000", "2000000000000")
    assert execute(["price", "--cpu-seconds", "0.5"]) == 0
    assert "0.000006" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("price", "or a resource"),
        ("price --base 1 --demand 3", "--base, --demand and --supply"),
        ("price --base 1 --demand 3 --supply 0", "supply above 0"),
        ("price --cpu-seconds nan", "decimals"),
    ],
)
def test_the_command_refuses(
    line: str, needed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(line.split()) == 2
    assert needed in capsys.readouterr().err
