"""The books of one federation: what everybody earned, lost and spent, round by round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parity_flwr.app.economy.federation import PlayedRound
from parity_flwr.core.config import ReputationConfig
from parity_flwr.core.economy.settlement import (
    EconomyConfig,
    EconomyState,
    Settlement,
    settle,
    stakes_after,
)
from parity_flwr.core.records import RoundRecord
from parity_flwr.core.reputation import is_excluded


@dataclass
class Books:
    """Running totals of one federation. Amounts are in base units.

    Parameters
    ----------
    config : EconomyConfig
        What is paid and slashed.
    stakes : dict of str to int
        At stake now, by identity.
    costs : dict of str to int
        What one round of work costs each identity.
    """

    config: EconomyConfig
    stakes: dict[str, int]
    costs: Mapping[str, int]
    state: EconomyState = field(default_factory=EconomyState)
    spent: dict[str, int] = field(default_factory=dict)
    caught: dict[str, int] = field(default_factory=dict)  # first round after which excluded
    excluded: frozenset[str] = frozenset()
    history: dict[str, list[int]] = field(default_factory=dict)  # net after every round
    accuracy: list[float] = field(default_factory=list)

    def enter(self, played: PlayedRound) -> Settlement:
        """Enter one round: rewards and slashes by the core, costs by who worked.

        Whoever is excluded when a round begins stops working: it has no weight and nothing
        to earn. (An honest one goes on, which costs nothing in the model of the simulation;
        this favours cheats.)
        """
        record = played.record
        self.state, done = settle(self.state, record, stakes=self.stakes, config=self.config)
        self.stakes = dict(stakes_after(self.stakes, done.slashes))
        for name in self.costs:
            worked = 0 if name in self.excluded else self.costs[name]
            self.spent[name] = self.spent.get(name, 0) + worked
        self.excluded = _excluded(record)
        for name in self.excluded:
            self.caught.setdefault(name, record.round)
        for name in self.costs:
            self.history.setdefault(name, []).append(self.net(name))
        self.accuracy.append(played.accuracy)
        return done

    def earned(self, name: str) -> int:
        """All rewards of an identity so far."""
        return self.state.rewards.earned.get(name, 0)

    def slashed(self, name: str) -> int:
        """All that an identity lost of its stake so far."""
        return self.state.offences.slashed.get(name, 0)

    def net(self, name: str) -> int:
        """Rewards less slashes less costs, so far."""
        return self.earned(name) - self.slashed(name) - self.spent.get(name, 0)


def keep(
    rounds: Iterable[PlayedRound],
    *,
    config: EconomyConfig,
    stakes: Mapping[str, int],
    costs: Mapping[str, int],
) -> Books:
    """Return the books of a whole federation."""
    books = Books(config=config, stakes=dict(stakes), costs=costs)
    for played in rounds:
        books.enter(played)
    return books


def _excluded(record: RoundRecord) -> frozenset[str]:
    config = ReputationConfig()
    standings = record.state.standings.items()
    return frozenset(name for name, each in standings if is_excluded(each, config))
