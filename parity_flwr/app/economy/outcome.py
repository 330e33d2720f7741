"""What became of the cheats of an attack, beside what honesty would have brought them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.market import IDLE, Market
from parity_flwr.core.economy.amounts import MILLION
from parity_flwr.core.economy.equilibrium import (
    CheatingGame,
    Equilibrium,
    equilibrium,
    least_detection,
)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One federation with cheats and the same one without.

    Parameters
    ----------
    attack : str
        What the cheats did.
    seed : int
        Of data, division, model and of who cheats.
    cheaters : tuple of str
        Who did.
    books : Books
        Of the federation with cheats.
    honest : Books
        Of the same one with the same participants, all honest.
    """

    attack: str
    seed: int
    cheaters: tuple[str, ...]
    books: Books
    honest: Books

    @property
    def rounds(self) -> int:
        """How many were played."""
        return len(self.books.accuracy)

    @property
    def others(self) -> tuple[str, ...]:
        """Who was honest."""
        return tuple(name for name in sorted(self.books.costs) if name not in self.cheaters)

    def uncaught(self, name: str) -> int:
        """Return the rounds before the one in which a cheat was caught."""
        return self.books.caught.get(name, self.rounds + 1) - 1

    def net_before_caught(self, name: str) -> int:
        """Return what a cheat had made until then, base units."""
        rounds = self.uncaught(name)
        return self.books.history[name][rounds - 1] if rounds else 0

    def mean_history(self) -> tuple[list[int], list[int]]:
        """Return the mean net of the cheats after each round: as cheats, and if honest."""
        return _mean(self.books, self.cheaters), _mean(self.honest, self.cheaters)

    def behind_from(self) -> int | None:
        """Return the round from which cheating had brought less for good; None for never."""
        cheating, honest = self.mean_history()
        pairs = enumerate(zip(cheating, honest, strict=True))
        ahead = [k for k, (cheat, fair) in pairs if cheat >= fair]
        first = ahead[-1] + 2 if ahead else 1
        return first if first <= self.rounds else None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the scenarios of one attack say together.

    ``detection`` is the chance of being caught in a round of cheating: times caught over
    rounds at risk, millionths. ``game`` is P-13's with the measured figures, ``result`` its
    solution.
    """

    attack: str
    detection: int
    game: CheatingGame
    result: Equilibrium
    least: int | None  # p_detect from which honesty would be an equilibrium, millionths
    honest_net: int  # measured, mean of a cheat's participant over the run, base units
    cheating_net: int  # without the bribe
    bribes: int  # what the mean cheat got from outside, base units
    damage: Fraction  # accuracy lost at the end, share of the test examples

    @property
    def pays(self) -> bool:
        """Whether cheating with its bribes brought no less than honesty, as measured."""
        return self.cheating_net + self.bribes >= self.honest_net


def judge(scenarios: Sequence[Scenario], *, bribe: int = 0) -> Verdict:
    """Return what the scenarios of one attack say together.

    The equilibrium has a constant chance of being caught, the measured one; the run decides
    what is true, the calculator says how far that one number explains it. ``bribe`` is what
    somebody outside pays for a round of uncaught cheating, base units.
    """
    pairs = [(each, name) for each in scenarios for name in each.cheaters]
    caught = [(each, name) for each, name in pairs if name in each.books.caught]
    free = sum(each.uncaught(name) for each, name in pairs)
    detection = round(Fraction(len(caught) * MILLION, len(caught) + free))
    honest = [each.honest.net(name) for each, name in pairs]
    rounds = scenarios[0].rounds
    before = sum(each.net_before_caught(name) for each, name in pairs)
    game = CheatingGame(
        detection=(detection,),
        honest_reward=_average(honest) // rounds,
        cheating_reward=before // max(free, 1),
        gain=bribe,
        slash=_average([each.books.slashed(name) for each, name in caught]),
        horizon=rounds,
    )
    lost = [
        Fraction(each.honest.accuracy[-1]) - Fraction(each.books.accuracy[-1])
        for each in scenarios
    ]
    return Verdict(
        attack=scenarios[0].attack,
        detection=detection,
        game=game,
        result=equilibrium(game),
        least=least_detection(game),
        honest_net=_average(honest),
        cheating_net=_average([each.books.net(name) for each, name in pairs]),
        bribes=bribe * free // len(pairs),
        damage=sum(lost, Fraction(0)) / len(lost),
    )


def break_even_bribe(verdict: Verdict, scenarios: Sequence[Scenario]) -> int | None:
    """Return the gain a round of uncaught cheating from which it pays, as measured.

    None if every cheat was caught in its first round: no bribe is ever earned. Where
    cheating pays anyway it is 0.
    """
    pairs = [(each, name) for each in scenarios for name in each.cheaters]
    free = sum(each.uncaught(name) for each, name in pairs)
    lost = (verdict.honest_net - verdict.cheating_net) * len(pairs)
    return max(0, lost // free) if free else None


def scenario_json(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data; amounts are strings of base units."""
    return {
        "attack": scenario.attack,
        "seed": scenario.seed,
        "rounds": scenario.rounds,
        "cheats": [_cheat_json(scenario, name) for name in scenario.cheaters],
        "honest": [
            {"identity": name, "net": str(scenario.books.net(name))} for name in scenario.others
        ],
        "honest_excluded": [name for name in scenario.others if name in scenario.books.caught],
        "honest_slashed": str(sum(map(scenario.books.slashed, scenario.others))),
        "all_honest_excluded": sorted(scenario.honest.caught),
        "all_honest_slashed": str(sum(map(scenario.honest.slashed, scenario.honest.costs))),
        "behind_from": scenario.behind_from(),
        "accuracy": scenario.books.accuracy[-1],
        "accuracy_all_honest": scenario.honest.accuracy[-1],
    }


def verdict_json(verdict: Verdict, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """Return an attack's verdict as plain data."""
    bribe = break_even_bribe(verdict, scenarios)
    return {
        "attack": verdict.attack,
        "works": verdict.attack not in IDLE,
        "detection": verdict.detection / MILLION,
        "caught": sum(n in each.books.caught for each in scenarios for n in each.cheaters),
        "cheats": sum(len(each.cheaters) for each in scenarios),
        "honest_net": str(verdict.honest_net),
        "cheating_net": str(verdict.cheating_net),
        "bribes": str(verdict.bribes),
        "pays": verdict.pays,
        "damage": float(verdict.damage),
        "break_even_bribe": None if bribe is None else str(bribe),
        "equilibrium": {
            "holds": verdict.result.holds,
            "honest": str(verdict.result.honest),
            "cheating": str(verdict.result.cheating),
            "gain": str(verdict.result.gain),
            "margin": str(verdict.result.margin),
            "least_detection": None if verdict.least is None else verdict.least / MILLION,
        },
    }


def market_json(market: Market) -> dict[str, Any]:
    """Return the constants as plain data."""
    return {
        "attacks": list(market.attacks),
        "rounds": market.rounds,
        "clients": market.clients,
        "cheats": market.cheaters,
        "seeds": list(market.seeds),
        "partition": market.partition,
        "dataset": market.dataset,
        "pool": str(market.pool),
        "stake": str(market.stake),
        "cost": str(market.cost),
        "bribe": str(market.bribe),
        "base_penalty": str(market.base_penalty),
        "quality": market.quality / MILLION,
        "participation": market.participation.value,
    }


def _cheat_json(scenario: Scenario, name: str) -> dict[str, Any]:
    books = scenario.books
    return {
        "identity": name,
        "caught": books.caught.get(name),
        "earned": str(books.earned(name)),
        "slashed": str(books.slashed(name)),
        "spent": str(books.spent[name]),
        "net": str(books.net(name)),
        "net_if_honest": str(scenario.honest.net(name)),
    }


def _mean(books: Books, names: Sequence[str]) -> list[int]:
    rows = zip(*(books.history[name] for name in names), strict=True)
    return [_average(row) for row in rows]


def _average(values: Sequence[int]) -> int:
    return sum(values) // len(values) if values else 0
