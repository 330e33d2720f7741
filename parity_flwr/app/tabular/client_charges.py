"""The clients' ledgers of a run on a table, copied into its journal as they grow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flwr.app import ArrayRecord, MetricRecord

from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.app.tabular.privacy_report import client_ledgers
from parity_flwr.core.privacy.ledger import Charge, Spending, spent_by_client
from parity_flwr.core.protocols import ChargeStore, ClientStateStore

Evaluate = Callable[[int, ArrayRecord], MetricRecord | None]


@dataclass
class ClientCharges:
    """Copies what clients charged into the journal, and states what was spent at the end.

    Each client's own ledger, charged before its release, stays the one that counts; this is
    for ``parity verify``, which has the journal alone.

    Parameters
    ----------
    privacy : TablePrivacy
        What is promised.
    journal : ChargeStore
        The run's.
    grid : ClientStateStore
        Holds the clients' states, and in them their ledgers.
    clients, rounds : int
        How many there are, and how many rounds the run has.
    """

    privacy: TablePrivacy
    journal: ChargeStore
    grid: ClientStateStore
    clients: int
    rounds: int
    _done: set[Any] = field(default_factory=set)

    def around(self, evaluate: Evaluate) -> Evaluate:
        """Return the evaluation, which Flower's loop calls after each round, with copying."""

        def copying(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            self.copy(server_round)
            return evaluate(server_round, arrays)

        return copying

    def copy(self, round: int) -> None:
        """Write the charges that the journal lacks; after the last round the sum, too."""
        charges = self._charges()
        for charge in charges:
            if charge.key not in self._done:
                self.journal.charge(charge)
                self._done.add(charge.key)
        if round >= self.rounds:
            delta = self.privacy.budget.delta
            spent = spent_by_client(charges, delta=delta)
            self.journal.state_spending(Spending(round=round, delta=delta, clients=spent))

    def _charges(self) -> list[Charge]:
        ledgers = client_ledgers(
            self.grid.save_client_state(), clients=self.clients, budget=self.privacy.budget
        )
        found = [charge for ledger in ledgers.values() for charge in ledger.charges]
        return sorted(found, key=lambda charge: charge.key[1:])
