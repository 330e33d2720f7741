"""The budget of a run under central DP: what is charged, what fits, where it is kept."""

from __future__ import annotations

from logging import WARNING

from flwr.common import log

from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.core.privacy.combinations import Combination, NoisePlace, check_combination
from parity_flwr.core.privacy.ledger import Ledger, Spending
from parity_flwr.core.protocols import ChargeStore, Journal
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.sampling import Sampling


class RunBudget:
    """The ledger of one run, in memory and in the journal.

    Parameters
    ----------
    privacy : CentralPrivacy
        The promise.
    """

    def __init__(self, privacy: CentralPrivacy) -> None:
        self.privacy = privacy
        self.multiplier = privacy.multiplier()
        self.ledger = Ledger(budget=privacy.budget)

    def load(self, journal: Journal | None) -> None:
        """Read the charges that stand in the journal, if none is known yet."""
        if journal is not None and not self.ledger.charges:
            charges = charge_store(journal).charges()
            self.ledger = Ledger(budget=self.privacy.budget, charges=charges)

    def charge(self, journal: Journal | None, *, run: str, round: int) -> None:
        """Write the round's charge down, once; its noise may be drawn afterwards.

        Raises
        ------
        BudgetError
            The budget does not cover the round.
        """
        charge = self.privacy.charge(run, round, multiplier=self.multiplier)
        self.ledger = self.ledger.charged(charge)
        if journal is not None:
            charge_store(journal).charge(charge)

    def state(self, journal: Journal | None, *, round: int) -> None:
        """Write down what was spent, for whoever verifies the run."""
        if journal is not None and self.ledger.charges:
            spending = Spending.of(self.ledger.charges, round=round, delta=self.privacy.delta)
            charge_store(journal).state_spending(spending)

    def covered(self, num_rounds: int) -> int:
        """Return how many rounds the whole budget covers, at most ``num_rounds``.

        Raises
        ------
        ConfigError
            It covers none.
        """
        charge = self.privacy.charge("", 1, multiplier=self.multiplier)
        covered = Ledger(budget=self.privacy.budget).affordable(charge, most=num_rounds)
        if covered == 0 < num_rounds:
            raise ConfigError(
                f"epsilon {self.privacy.epsilon:g} needs to cover at least one round",
                came=f"noise multiplier {self.multiplier:g}",
                action="raise the noise or epsilon, or leave the noise to be calibrated",
            )
        if covered < num_rounds:
            log(
                WARNING,
                "The privacy budget (epsilon %g, delta %g) covers %d of %d rounds: "
                "the run ends there",
                self.privacy.epsilon,
                self.privacy.delta,
                covered,
                num_rounds,
            )
        return covered


def charge_store(journal: Journal) -> ChargeStore:
    """Return the journal as the keeper of the ledger.

    Raises
    ------
    ConfigError
        It keeps no charges, or would keep updates without noise, or is of a baseline run.
    """
    if not isinstance(journal, ChargeStore):
        needed, came = "a journal that keeps charges", type(journal).__name__
    elif journal.keep_updates:
        needed, came = "a journal that keeps no updates", "keep_updates"
    elif journal.baseline:
        needed, came = "a run with its protection", "a baseline run without it"
    else:
        return journal
    raise ConfigError(
        f"central DP needs {needed}", came=came, action="change the journal's settings"
    )


def check_sampling(sampling: Sampling) -> None:
    """Check that nobody is chosen, and nothing measured, outside the ledger.

    Raises
    ------
    ConfigError
        The sampling asks for a share of the clients, or for evaluation on them.
    """
    if sampling.fraction_train != 1.0:
        raise ConfigError(
            "central DP needs fraction_train 1",
            came=f"{sampling.fraction_train:g}: a fixed share amplifies nothing",
            action="use CentralPrivacy(sampling=...), which is Poisson sampling",
        )
    if sampling.fraction_evaluate != 0.0:
        check_combination(Combination(dp=NoisePlace.CENTRAL, client_metrics=True))
