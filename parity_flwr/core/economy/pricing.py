"""What a task costs: the market's price of it, and the cost of the resources (P-29, P-30)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from parity_flwr.core.economy.amounts import (
    MAX_AMOUNT,
    MILLION,
    require_amount,
    require_integer,
)
from parity_flwr.errors import ConfigError

MAX_COUNT = (1 << 63) - 1
"""No demand, supply or number of cycles is larger."""

MAX_FACTOR = 100 * MILLION
"""Neither the elasticity nor the complexity is larger than 100."""

MAX_USE = 10**15 * MILLION
"""No use of a resource is larger: 10^15 of its units, in millionths."""

# A price under 2^128 has at most 39 digits; the other 60 keep the rounding of ln and exp away
# from the units, so that the C and the Python implementation of decimal agree.
_EXACT = Context(prec=99, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, kw_only=True)
class Market:
    """What P-29 asks of the market. ``phi`` > 0 says how hard scarcity drives the price."""

    demand: int  # tasks that wait
    supply: int  # runners that could take one
    phi: int = MILLION  # elasticity, millionths
    complexity: int = MILLION  # of this task, millionths

    def __post_init__(self) -> None:
        require_integer("demand", self.demand, 0, MAX_COUNT)
        require_integer("supply", self.supply, 0, MAX_COUNT)
        require_integer("phi", self.phi, 1, MAX_FACTOR)
        require_integer("complexity", self.complexity, 0, MAX_FACTOR)


def task_price(base: int, market: Market) -> int:
    """Return base (1 + demand/supply)^phi complexity, rounded to a base unit, ties to even.

    P-29 (Parity, Eq. 29). *Decided*: without supply there is no price, rather than an
    infinite one.

    Parameters
    ----------
    base : int
        The price without demand, base units.
    market : Market
        Demand, supply, elasticity and complexity.

    Raises
    ------
    ConfigError
        If the supply is 0, or the price does not fit 128 bits.

    Examples
    --------
    >>> task_price(100, Market(demand=3, supply=1, phi=2_000_000))
    1600
    """
    require_amount("base", base)
    if market.supply == 0:
        raise ConfigError(
            "a price needs a supply above 0",
            came="supply=0",
            action="wait until a runner is there",
        )
    scarcity = _EXACT.divide(Decimal(market.supply + market.demand), Decimal(market.supply))
    phi = _EXACT.divide(Decimal(market.phi), Decimal(MILLION))
    whole = _EXACT.multiply(Decimal(base * market.complexity), _EXACT.power(scarcity, phi))
    price = _EXACT.divide(whole, Decimal(MILLION))
    if price > MAX_AMOUNT:
        raise ConfigError(
            "a price needs to fit 128 bits of base units",
            came=f"{price:.3E}",
            action="lower phi, the base or the complexity",
        )
    return int(price.to_integral_value(rounding=ROUND_HALF_EVEN))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The resources of a task, in millionths of their units but for whole cycles."""

    cpu: int = 0  # seconds
    memory: int = 0  # GB hours
    storage: int = 0  # GB
    network: int = 0  # GB
    cycles: int = 0  # estimated, whole

    def __post_init__(self) -> None:
        for name in ("cpu", "memory", "storage", "network"):
            require_integer(name, getattr(self, name), 0, MAX_USE)
        require_integer("cycles", self.cycles, 0, MAX_COUNT)


def usage_costs(usage: Usage) -> dict[str, int]:
    """Return what each resource costs, base units, exactly; without the fee (P-30).

    Tokens: 1e-5 a CPU second, 5e-5 a GB hour of memory, 1e-4 a GB stored or sent, 1e-12 a
    cycle. With 18 decimals each millionth of a unit, and each cycle, is a whole number.

    Examples
    --------
    >>> usage_costs(Usage(cpu=1_000_000))["cpu"] == 10**13
    True
    """
    return {
        "cpu": usage.cpu * 10**7,
        "memory": usage.memory * 5 * 10**7,
        "storage": usage.storage * 10**8,
        "network": usage.network * 10**8,
        "cycles": usage.cycles * 10**6,
    }


def total_cost(usage: Usage) -> int:
    """Return 1.2 times the sum of the resources' costs, base units, exactly.

    P-30 (Parity, Eq. 30). Each cost is a multiple of 10, so that 1.2 leaves no fraction.
    """
    return sum(usage_costs(usage).values()) * 6 // 5


def network_fee(usage: Usage) -> int:
    """Return the part of :func:`total_cost` over the resources' own cost: a sixth of it."""
    return total_cost(usage) - sum(usage_costs(usage).values())
