"""Play honest and cheating participants over many rounds, and settle every round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from parity_flwr.app.compare.attack_names import NONE
from parity_flwr.app.compare.data import load_samples
from parity_flwr.app.compare.task import Task, build_task
from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.federation import PlayedRound, cheaters, play
from parity_flwr.app.economy.market import IDLE, Market
from parity_flwr.app.economy.outcome import (
    Scenario,
    Verdict,
    judge,
    market_json,
    scenario_json,
    verdict_json,
)
from parity_flwr.app.economy.settling import SettlerMaker

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Everything that was played, in the order of seeds and attacks."""

    market: Market
    scenarios: tuple[Scenario, ...]
    settlements: tuple[dict[str, Any], ...]  # of the chain, one a federation; empty without

    def by_attack(self) -> dict[str, list[Scenario]]:
        """Return the scenarios of each attack, in the order of the attacks."""
        order = {attack: k for k, attack in enumerate(self.market.attacks)}
        ordered = sorted(self.scenarios, key=lambda each: order[each.attack])
        return {
            attack: list(group) for attack, group in groupby(ordered, lambda each: each.attack)
        }

    def verdict(self, group: Sequence[Scenario]) -> Verdict:
        """Return what the scenarios of one attack say together."""
        return judge(group, bribe=self.market.bribe)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data; amounts are strings of base units."""
        groups = self.by_attack()
        return {
            "what": "economy",
            "market": market_json(self.market),
            "attacks": [verdict_json(self.verdict(group), group) for group in groups.values()],
            "scenarios": [scenario_json(each) for each in self.scenarios],
            "chain": list(self.settlements),
        }


def simulate(
    market: Market,
    *,
    settler: SettlerMaker | None = None,
    on_progress: Progress = lambda _what, _done, _total: None,
) -> Simulation:
    """Play one federation for each seed and attack, and one without cheats for each seed.

    Parameters
    ----------
    market : Market
        Constants.
    settler : callable, optional
        Makes what settles a federation's rounds elsewhere too, such as on a chain; it
        refuses where the two disagree.
    on_progress : callable
        Called with what is played, rounds done and rounds in all.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are split by thread
    try:
        return _Play(market, settler, on_progress).run()
    finally:
        torch.set_num_threads(threads)


class _Play:
    """The state of a simulation."""

    def __init__(
        self, market: Market, settler: SettlerMaker | None, on_progress: Progress
    ) -> None:
        self.market = market
        self._maker = settler
        self._progress = on_progress
        self._done = 0
        self._total = market.rounds * len(market.seeds) * (1 + len(market.attacks))
        self._settlements: list[dict[str, Any]] = []

    def run(self) -> Simulation:
        scenarios: list[Scenario] = []
        samples = load_samples(self.market.dataset, self.market.data)
        for seed in self.market.seeds:
            task = build_task(
                self.market.federation, samples, partition=self.market.partition, seed=seed
            )
            bad = cheaters(task, self.market.fraction)
            honest = self._keep(task, NONE, bad)
            scenarios += [
                Scenario(
                    attack=attack,
                    seed=seed,
                    cheaters=bad,
                    books=self._keep(task, attack, bad),
                    honest=honest,
                )
                for attack in self.market.attacks
            ]
        return Simulation(
            market=self.market,
            scenarios=tuple(scenarios),
            settlements=tuple(self._settlements),
        )

    def _keep(self, task: Task, attack: str, bad: tuple[str, ...]) -> Books:
        market = self.market
        names = [f"client-{k}" for k in range(market.clients)]
        idle = bad if attack in IDLE else ()
        books = Books(
            config=market.economy,
            stakes=dict.fromkeys(names, market.stake),
            costs={name: 0 if name in idle else market.cost for name in names},
        )
        settler = self._maker(names, market) if self._maker else None
        if settler is None:
            for played in self._rounds(task, attack):
                books.enter(played)
            return books
        with closing(settler):
            for played in self._rounds(task, attack):
                settler.settle(played.record, books.enter(played), books)
            proof = settler.finish(books)
        self._settlements.append({"attack": attack, "seed": task.seed, **proof})
        return books

    def _rounds(self, task: Task, attack: str) -> Iterator[PlayedRound]:
        label = "all honest" if attack == NONE else attack
        for played in play(task, attack=attack, fraction=self.market.fraction):
            self._done += 1
            self._progress(f"{label}, seed {task.seed}", self._done, self._total)
            yield played
