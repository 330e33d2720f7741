"""What a run showed: who gains what, who was flagged, and what everybody earned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord

from parity_finance.alone import predicting, trained_alone, trained_together
from parity_finance.banks import Market
from parity_finance.models import Model
from parity_finance.picture import picture
from parity_flwr.app.benefit import Benefit, compare, lines
from parity_flwr.app.chains.summary import earnings
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.report.summary import standings
from parity_flwr.app.runs.results import folder_of, leave_results
from parity_flwr.clients.attacks import parse_attackers
from parity_flwr.core.economy.amounts import tokens
from parity_flwr.core.economy.claims import RewardConfig

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run in figures.

    Parameters
    ----------
    benefit : Benefit
        Each bank's own model beside the federated one.
    free_riders, flagged : tuple of str
        Who rode for free, and who has no weight any more.
    reputation : mapping of str to tuple of float
        After each round, 0 to 1000; nothing without reputation.
    earned : mapping of str to float
        Tokens of P-28, by the journal; a chain pays the same.
    """

    benefit: Benefit
    free_riders: tuple[str, ...]
    flagged: tuple[str, ...]
    reputation: Mapping[str, tuple[float, ...]]
    earned: Mapping[str, float]

    @property
    def honest_earned(self) -> float:
        """What an honest bank earned in the mean."""
        honest = [each.name for each in self.benefit.gains if each.honest]
        return sum(self.earned.get(name, 0.0) for name in honest) / len(honest)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "benefit": self.benefit.as_dict(),
            "free_riders": list(self.free_riders),
            "flagged": list(self.flagged),
            "reputation": {name: list(each) for name, each in self.reputation.items()},
            "earned": dict(self.earned),
        }


def outcome_of(
    config: Config, market: Market, model: Model, arrays: ArrayRecord, journal: SqlJournal
) -> Outcome:
    """Return what a run showed, by its model and its journal."""
    dishonest = set(parse_attackers(str(config["attackers"])))
    federated = {name: array.numpy() for name, array in arrays.items()}
    benefit = compare(
        market.participants(dishonest),
        train=lambda bank: trained_alone(config, market, bank),
        federated=predicting(model, federated),
        metric=market.metric,
        references={"all in one place": trained_together(config, market, dishonest)},
    )
    clients = standings(folder_of(journal))["clients"]
    rounds = journal.rounds()
    names = [f"client-{bank}" for bank in range(len(market.banks))]
    return Outcome(
        benefit=benefit,
        free_riders=tuple(f"client-{bank}" for bank in sorted(dishonest)),
        flagged=tuple(each["identity"] for each in clients if each["standing"] != "included"),
        reputation={
            name: tuple(each.state.standings[name].composite for each in rounds)
            for name in names
            if rounds and all(name in each.state.standings for each in rounds)
        },
        earned={
            name: float(tokens(paid))
            for name, paid in earnings(rounds, RewardConfig()).earned.items()
        },
    )


def leave(outcome: Outcome, config: Config, market: Market, journal: SqlJournal) -> None:
    """Write results and picture into the run's folder, and the lines that are printed."""
    title = f"{market.name}: {len(market.banks)} banks, {config['model']}"
    if config["privacy"] == "he":
        title += ", encrypted"
    leave_results(
        folder_of(journal),
        {"data": market.name, "config": dict(config), **outcome.as_dict()},
        lines=[title, *lines(outcome.benefit), *about_riders(outcome, str(config["privacy"]))],
        pictures={"banks.png": picture(outcome, title=title)},
    )


def about_riders(outcome: Outcome, privacy: str) -> list[str]:
    """Return who was found, and what riding for free brought."""
    found = ", ".join(outcome.flagged) or "nobody"
    told = [f"flagged: {found}"]
    if privacy == "he":
        told = ["flagged: nobody can be, the server sees ciphertexts only"]
    for rider in outcome.free_riders:
        if rider in outcome.reputation:
            told.append(f"{rider} rode for free and earned {outcome.earned.get(rider, 0):.0f}")
    if outcome.earned:
        told.append(f"an honest bank earned {outcome.honest_earned:.0f} tokens in the mean")
    return told
