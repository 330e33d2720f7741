"""When honesty pays: the condition of P-13, computed for one participant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext

from parity_flwr.core.economy.amounts import (
    MAX_AMOUNT,
    MILLION,
    require_amount,
    require_integer,
)

MAX_HORIZON = 100_000
"""No game is longer, in rounds."""

_PRECISE = Context(prec=60)


@dataclass(frozen=True, kw_only=True)
class CheatingGame:
    """One participant's choice: honest for the whole horizon, or cheating until caught.

    Everything a round pays is in base units, chances and the discount are in millionths.
    Whoever is caught in a round gets nothing for it, is slashed once, and earns nothing for
    ``exclusion`` rounds; then it is back, honest. The chance of being caught may change with
    the number of rounds of cheating; its last value holds on.
    """

    detection: tuple[int, ...]  # p_detect in the 1st, 2nd, ... round of cheating
    honest_reward: int  # what honest work earns a round, after its cost
    cheating_reward: int  # what an uncaught cheat is paid a round by the pool, after its cost
    gain: int  # what an uncaught cheat gets a round from elsewhere: the briber
    slash: int = 0  # what being caught costs at once
    horizon: int = 100  # rounds
    discount: int = MILLION  # value of the next round's token today
    exclusion: int = MAX_HORIZON  # rounds without earnings after being caught

    def __post_init__(self) -> None:
        require_integer("detection entries", len(self.detection), 1, MAX_HORIZON)
        for chance in self.detection:
            require_integer("detection", chance, 0, MILLION)
        for name in ("honest_reward", "cheating_reward"):
            require_integer(name, getattr(self, name), -MAX_AMOUNT, MAX_AMOUNT)
        for name in ("gain", "slash"):
            require_amount(name, getattr(self, name))
        require_integer("horizon", self.horizon, 1, MAX_HORIZON)
        require_integer("discount", self.discount, 0, MILLION)
        require_integer("exclusion", self.exclusion, 0, MAX_HORIZON)

    def chance(self, cheats: int) -> int:
        """Return p_detect in this round of cheating, counted from 1, millionths."""
        return self.detection[min(cheats, len(self.detection)) - 1]


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """Both sides of P-13, whole base units, rounded towards 0.

    ``honest`` and ``cheating`` are the expected discounted values of the two strategies
    within the network, ``gain`` what cheating brings from outside it. Honesty is an
    equilibrium if honest - cheating > gain.
    """

    honest: int
    cheating: int
    gain: int
    uncaught: Decimal  # expected discounted rounds of cheating before being caught
    caught: Decimal  # chance of being caught within the horizon

    @property
    def margin(self) -> int:
        """Honest - cheating - gain: what honesty brings more."""
        return self.honest - self.cheating - self.gain

    @property
    def holds(self) -> bool:
        """Whether honesty is an equilibrium (P-13)."""
        return self.margin > 0

    @property
    def break_even(self) -> int | None:
        """The gain a round from which cheating pays; None if no cheat ever goes uncaught."""
        if self.uncaught == 0:
            return None
        even = _PRECISE.divide(Decimal(self.honest - self.cheating), self.uncaught)
        return max(0, int(even))


def equilibrium(game: CheatingGame) -> Equilibrium:
    """Return both sides of P-13 for a game (Parity, Theorem 6.1 and appendix A.1).

    With d the discount, s(t) the chance of being uncaught after t rounds and p(t) that of
    being caught in round t: V_honest = sum_t d^t h; V_cheat = sum_t d^t [s(t) c - s(t-1)
    p(t) S] + what honesty earns once back; gain = g sum_t d^t s(t). *Decided*: the paper's
    proof says only that p_d > 0.9 makes cheating suboptimal; that depends on the gain, the
    horizon and the discount, so all three are arguments.

    Examples
    --------
    >>> fair = dict(honest_reward=100, cheating_reward=100, horizon=10)
    >>> equilibrium(CheatingGame(detection=(500_000,), gain=100, **fair)).holds
    True
    >>> equilibrium(CheatingGame(detection=(50_000,), gain=100, **fair)).holds
    False
    """
    with localcontext(_PRECISE):
        return _play(game)


def _play(game: CheatingGame) -> Equilibrium:
    honest = cheating = uncaught = Decimal(0)
    survival, back = Decimal(1), Decimal(0)
    returns = [Decimal(0)] * (game.horizon + 1)  # chance of being back from a round on
    for number, worth in enumerate(_discounts(game), 1):
        back += returns[number]
        risk = survival * _share(game.chance(number))
        survival -= risk
        paid = survival * game.cheating_reward + back * game.honest_reward
        honest += worth * game.honest_reward
        cheating += worth * (paid - risk * game.slash)
        uncaught += worth * survival
        home = number + game.exclusion + 1
        if home <= game.horizon:
            returns[home] += risk
    return Equilibrium(
        honest=int(honest),
        cheating=int(cheating),
        gain=int(uncaught * game.gain),
        uncaught=uncaught,
        caught=1 - survival,
    )


def least_detection(game: CheatingGame) -> int | None:
    """Return the least constant p_detect at which honesty is an equilibrium, millionths.

    None if not even certain detection is enough. By bisection: the value of cheating falls
    as detection rises.

    Examples
    --------
    >>> game = CheatingGame(detection=(0,), honest_reward=1, cheating_reward=1, gain=1)
    >>> least_detection(game)
    15603
    """
    if not equilibrium(_with_chance(game, MILLION)).holds:
        return None
    low, high = -1, MILLION
    while high - low > 1:
        middle = (low + high) // 2
        if equilibrium(_with_chance(game, middle)).holds:
            high = middle
        else:
            low = middle
    return high


def _with_chance(game: CheatingGame, chance: int) -> CheatingGame:
    return replace(game, detection=(chance,))


def _discounts(game: CheatingGame) -> Iterator[Decimal]:
    worth = Decimal(1)
    for _ in range(game.horizon):
        yield worth
        worth *= _share(game.discount)


def _share(value: int) -> Decimal:
    return Decimal(value).scaleb(-6)
