"""What a run came to, as plain data, lines and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from parity_flwr.app.benefit import Benefit, draw, lines
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.results import folder_of, leave_results
from parity_flwr.core.privacy.ledger import spent_by_client
from parity_flwr.core.rounds import excluded_identities
from parity_flwr.strategies import Reputation
from parity_healthcare.task import Settings

PICTURE = "benefit.png"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The results of a run.

    Parameters
    ----------
    what : str
        The data.
    seed : int
    liars, flagged : tuple of str
        Hospitals that flip their labels, and those that reputation excludes at the end.
    reputation : mapping of str to float
        Composite, by hospital.
    epsilon, delta : float or None
        The promise to each patient, for the whole run; None without privacy.
    spent : mapping of str to float
        Epsilon at that delta that each hospital's ledger adds up to.
    benefit : Benefit
        Against training alone.
    """

    what: str
    seed: int
    liars: tuple[str, ...]
    flagged: tuple[str, ...]
    reputation: Mapping[str, float]
    epsilon: float | None
    delta: float | None
    spent: Mapping[str, float]
    benefit: Benefit

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "benefit": self.benefit.as_dict()}

    def lines(self) -> list[str]:
        """Return the results for a terminal, at most 60 columns wide."""
        said = [f"{self.what}, seed {self.seed}", *lines(self.benefit)]
        said.append(f"flipped labels: {', '.join(self.liars) or 'nobody'}")
        said.append(f"excluded:       {', '.join(self.flagged) or 'nobody'}")
        if self.epsilon is None or self.delta is None:
            return [*said, "privacy: none (epsilon=0)"]
        most = max(self.spent.values(), default=0.0)
        said.append(
            f"privacy: epsilon {most:.3f} of {self.epsilon:g} spent, delta {self.delta:g}"
        )
        return said


def outcome_of(
    settings: Settings, benefit: Benefit, journal: SqlJournal, strategy: Reputation
) -> Outcome:
    """Collect what a run came to, from its journal and its strategy."""
    state, budget = strategy.state, settings.budget
    names = {f"client-{k}": each.name for k, each in enumerate(settings.divided)}
    spent = {} if budget is None else spent_by_client(journal.charges(), delta=budget.delta)
    return Outcome(
        what=settings.patients.what,
        seed=settings.seed,
        liars=tuple(names[f"client-{k}"] for k in sorted(settings.liars)),
        flagged=_named(excluded_identities(state, strategy.config), names),
        reputation={
            names.get(key, key): each.composite for key, each in state.standings.items()
        },
        epsilon=None if budget is None else budget.epsilon,
        delta=None if budget is None else budget.delta,
        spent={names.get(key, key): value for key, value in spent.items()},
        benefit=benefit,
    )


def leave(outcome: Outcome, journal: SqlJournal) -> None:
    """Write results, summary and picture into the run's folder, and print the summary."""
    said = outcome.lines()
    picture = draw(outcome.benefit, title=f"{outcome.what}, seed {outcome.seed}")
    leave_results(
        folder_of(journal), outcome.as_dict(), lines=said, pictures={PICTURE: picture}
    )
    print("\n".join([*said, f"results in {folder_of(journal).path}"]))


def _named(identities: Any, names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(names.get(each, each) for each in identities))
