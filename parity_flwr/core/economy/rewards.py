"""How a round's pool is divided, and what every identity has earned so far (P-28)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from parity_flwr.core.economy.amounts import (
    HIGHEST_REPUTATION,
    MILLION,
    require_amount,
    require_integer,
)
from parity_flwr.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one identity brings to a round: the four factors of P-28."""

    identity: str
    quality: int  # Q, millionths
    reputation: int  # R, millionths of a point: 0 to 1000 points
    participation: int = MILLION  # F, millionths
    stake: int = 1  # S, base units; 1 in a run without stakes

    def __post_init__(self) -> None:
        for name in ("quality", "participation"):
            require_integer(name, getattr(self, name), 0, MILLION)
        require_integer("reputation", self.reputation, 0, HIGHEST_REPUTATION)
        require_amount("stake", self.stake)

    @property
    def product(self) -> int:
        """Q R S F, exactly, in the product of their units."""
        return self.quality * self.reputation * self.stake * self.participation


def split(pool: int, claims: Sequence[Claim]) -> Mapping[str, int]:
    """Divide the pool in proportion to Q R S F; the parts sum to it exactly.

    reward_i = pool Q_i R_i S_i F_i / sum_j Q_j R_j S_j F_j, P-28 (Parity, Eq. 28).
    *Decided*: products are exact integers; every part is rounded down and the units left go
    one each to the largest remainders, ties to the identity that sorts first. If every
    product is 0 nobody is paid (all parts are 0) and the caller carries the pool over.

    Parameters
    ----------
    pool : int
        Base units, 0 to 2^128 - 1.
    claims : sequence of Claim
        One per identity, in any order.

    Returns
    -------
    Mapping[str, int]
        Base units by identity, sorted by identity.

    Raises
    ------
    ConfigError
        If an identity claims twice or the pool is not such an integer.

    Examples
    --------
    >>> whole = dict(quality=1_000_000, reputation=500_000_000)
    >>> split(100, [Claim(identity=name, **whole) for name in ("c", "b", "a")])
    {'a': 34, 'b': 33, 'c': 33}
    """
    require_amount("pool", pool)
    products = {claim.identity: claim.product for claim in claims}
    if len(products) != len(claims):
        raise ConfigError(
            "a round needs one claim for each identity",
            came=f"{len(claims)} claims of {len(products)} identities",
            action="join the claims of an identity before the split",
        )
    total = sum(products.values())
    if total == 0:
        return dict.fromkeys(sorted(products), 0)
    parts = {name: divmod(pool * products[name], total) for name in sorted(products)}
    left = pool - sum(whole for whole, _ in parts.values())
    first = sorted(parts, key=lambda name: (-parts[name][1], name))[:left]
    lucky = frozenset(first)
    return {name: whole + (name in lucky) for name, (whole, _) in parts.items()}


@dataclass(frozen=True, kw_only=True)
class RewardState:
    """What has been earned so far. Its money is conserved: paid in = earned + carried."""

    round: int = 0  # the last round that was settled
    carried: int = 0  # base units that no round has paid out yet
    earned: Mapping[str, int] = field(
        default_factory=dict
    )  # base units by identity, cumulative

    @property
    def total(self) -> int:
        """All that has been earned, base units."""
        return sum(self.earned.values())


@dataclass(frozen=True, kw_only=True)
class RoundClaims:
    """The inputs of one round's settlement."""

    round: int
    pool: int  # base units paid in for this round
    claims: tuple[Claim, ...]  # sorted by identity
    reason: str = ""  # why nobody is paid, for a round that was rejected


@dataclass(frozen=True, kw_only=True)
class RoundRewards:
    """What one round paid."""

    round: int
    pool: int  # base units divided: this round's own and what was carried into it
    rewards: Mapping[str, int]  # base units by identity, every claimant, sorted
    carried: int  # base units carried over to the next round


def step(state: RewardState, inputs: RoundClaims) -> tuple[RewardState, RoundRewards]:
    """Settle one round: divide its pool with what was carried, and add up (P-28).

    A pure function, so that replaying a run's rounds gives the same amounts.

    Raises
    ------
    ConfigError
        If the round does not come after the last one: a round pays once.

    Examples
    --------
    >>> claim = Claim(identity="a", quality=1_000_000, reputation=500_000_000)
    >>> state, _ = step(RewardState(), RoundClaims(round=1, pool=7, claims=()))
    >>> state.carried
    7
    >>> state, paid = step(state, RoundClaims(round=2, pool=7, claims=(claim,)))
    >>> paid.rewards, state.carried
    ({'a': 14}, 0)
    """
    if inputs.round <= state.round:
        raise ConfigError(
            f"rewards need a round after round {state.round}",
            came=f"round {inputs.round}",
            action="settle every round once, in order",
        )
    pool = require_amount("pool", inputs.pool) + state.carried
    rewards = split(pool, inputs.claims)
    carried = pool - sum(rewards.values())
    earned = dict(state.earned)
    for name, amount in rewards.items():
        if amount:
            earned[name] = earned.get(name, 0) + amount
    after = RewardState(
        round=inputs.round, carried=carried, earned=dict(sorted(earned.items()))
    )
    return after, RoundRewards(round=inputs.round, pool=pool, rewards=rewards, carried=carried)
