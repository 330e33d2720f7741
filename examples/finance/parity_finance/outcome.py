"""What a run showed: who gains what, who was flagged, and what everybody earned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord

from parity_finance.alone import predicting, trained_alone, trained_together
from parity_finance.banks import Market
from parity_finance.models import Model
from parity_flwr.app.benefit import Benefit, compare, draw, lines
from parity_flwr.app.chains.summary import earnings
from parity_flwr.app.report.summary import standings
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.results import leave_results
from parity_flwr.clients.attacks import parse_attackers
from parity_flwr.core.economy.amounts import tokens
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.core.protocols import Journal

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run in figures.

    Parameters
    ----------
    benefit : Benefit
        Each bank's own model beside the federated one.
    free_riders, flagged : tuple of str
        Who rode for free, and who lost all weight.
    reputation : mapping of str to float
        After the last round, 0 to 1000.
    earned : mapping of str to str
        Tokens of P-28, by the journal; a chain pays the same.
    """

    benefit: Benefit
    free_riders: tuple[str, ...]
    flagged: tuple[str, ...]
    reputation: Mapping[str, float]
    earned: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "benefit": self.benefit.as_dict(),
            "free_riders": list(self.free_riders),
            "flagged": list(self.flagged),
            "reputation": dict(self.reputation),
            "earned": dict(self.earned),
        }


def outcome_of(
    config: Config, market: Market, model: Model, arrays: ArrayRecord, journal: Journal
) -> Outcome:
    """Return what a run showed, by its model and its journal."""
    dishonest = set(parse_attackers(str(config["attackers"])))
    federated = {name: array.numpy() for name, array in arrays.items()}
    benefit = compare(
        market.participants(dishonest),
        train=lambda bank: trained_alone(config, market, bank),
        federated=predicting(model, federated),
        metric=market.metric,
        references={"all rows in one place": trained_together(config, market, dishonest)},
    )
    folder: RunFolder = journal.folder  # type: ignore[attr-defined]
    clients = standings(folder)["clients"]
    state = earnings(journal.rounds(), RewardConfig())
    return Outcome(
        benefit=benefit,
        free_riders=tuple(f"client-{bank}" for bank in sorted(dishonest)),
        flagged=tuple(each["identity"] for each in clients if each["standing"] != "included"),
        reputation={each["identity"]: each["composite"] for each in clients},
        earned={name: tokens(paid) for name, paid in state.earned.items()},
    )


def leave(outcome: Outcome, config: Config, market: Market, journal: Journal) -> None:
    """Write results and picture into the run's folder, and the lines that are printed."""
    folder: RunFolder = journal.folder  # type: ignore[attr-defined]
    title = f"{market.name}, {len(market.banks)} banks, {config['model']}"
    leave_results(
        folder,
        {"data": market.name, "config": dict(config), **outcome.as_dict()},
        lines=[title, *lines(outcome.benefit), *_about_riders(outcome, str(config["privacy"]))],
        pictures={"banks.png": draw(outcome.benefit, title=title)},
    )


def _about_riders(outcome: Outcome, privacy: str) -> list[str]:
    honest = [float(paid) for name, paid in outcome.earned.items()
              if name not in outcome.free_riders]  # fmt: skip
    told = [f"flagged: {', '.join(outcome.flagged) or 'nobody'}"]
    if privacy == "he":
        told = ["flagged: nobody can be, the server sees ciphertexts only"]
    for rider in sorted(set(outcome.free_riders) & set(outcome.reputation)):
        told.append(
            f"{rider} rode for free and earned {float(outcome.earned.get(rider, 0)):.1f} tokens;"
            f" an honest bank {sum(honest) / max(len(honest), 1):.1f}"
        )
    return told
