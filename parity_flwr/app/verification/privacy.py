"""The check of the privacy ledger: charged before each release, once, within the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.privacy.accounting import Release, spent_epsilon
from parity_flwr.core.privacy.ledger import EVERYONE, Budget, Charge, Ledger, releases_of
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY, PRIVACY
from parity_flwr.core.records import RoundRecord, RunHeader
from parity_flwr.errors import MissingExtraError, ParityError

_SLACK = 1 + 1e-6  # sums of floats in another order


class LedgerCheck:
    """Every private round was charged before it ended, and the sum is within the budget.

    Charges that clients report of their own ledgers are added up for each client, and held
    against what the run's header says that they promise.
    """

    def __init__(self) -> None:
        self._findings = Findings("privacy ledger")
        self._settings: Mapping[str, Any] = {}
        self._promise: Mapping[str, Any] = {}
        self._charges: list[Charge] = []
        self._otherwise = "no privacy budget"

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._settings = record.config.get(PRIVACY) or {}
            self._promise = record.config.get(CLIENT_PRIVACY) or {}
            if self._promise:
                self._otherwise = "the clients keep their own, and reported none"
        elif isinstance(record, Charge):
            self._see_charge(entry, record)
        elif isinstance(record, RoundRecord) and self._settings:
            charged = any(each.round == record.round for each in self._charges)
            self._findings.require(charged, f"round {record.round} was released uncharged")

    def _see_charge(self, entry: Entry, charge: Charge) -> None:
        once = all(each.key != charge.key for each in self._charges)
        self._findings.require(once, f"entry {entry.sequence} charges a release again")
        self._charges.append(charge)

    def line(self) -> Line:
        """Return the outcome."""
        spent = ""
        if self._charges:
            try:
                spent = self._spent() if self._settings else self._spent_by_clients()
            except MissingExtraError as error:
                spent = f"{len(self._charges)} charges, not added up: {error.action}"
            except (ParityError, KeyError, TypeError, ValueError) as error:
                self._findings.require(False, f"the budget cannot be read: {error}"[:200])
        line = self._findings.line("charges", otherwise=self._otherwise)
        return Line(line.name, line.ok, spent if line.ok and spent else line.detail)

    def _spent(self) -> str:
        budget = Budget(epsilon=self._settings["epsilon"], delta=self._settings["delta"])
        spent = Ledger(budget=budget, charges=tuple(self._charges)).spent()
        return f"{len(self._charges)} charges, {self._within(spent, budget)}"

    def _spent_by_clients(self) -> str:
        clients = {each.client for each in self._charges} - {EVERYONE}
        told = f"{len(self._charges)} charges that {len(clients)} clients reported"
        if not self._promise:
            return f"{told}, no budget stated"
        budget = Budget(epsilon=self._promise["epsilon"], delta=self._promise["delta"])
        alike: dict[tuple[Release, ...], str] = {}  # clients of one size were charged alike
        for name in sorted(clients):
            own = (each for each in self._charges if each.client == name)
            alike.setdefault(tuple(releases_of(own)), name)
        spent, most = max(
            (spent_epsilon(each, delta=budget.delta), alike[each]) for each in alike
        )
        return f"{told}, {self._within(spent, budget, by=f' by {most}')}"

    def _within(self, spent: float, budget: Budget, *, by: str = "") -> str:
        self._findings.require(
            spent <= budget.epsilon * _SLACK,
            f"epsilon {spent:.4g} was spent of {budget.epsilon:g}{by}",
        )
        return f"epsilon {spent:.4g} of {budget.epsilon:g} at delta {budget.delta:g}"
