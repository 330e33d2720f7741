"""The check of the privacy ledger: charged before each release, once, within the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity_flwr.app.journal.chain import Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.privacy.ledger import Budget, Charge, Ledger
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY, PRIVACY
from parity_flwr.core.records import RoundRecord, RunHeader
from parity_flwr.errors import MissingExtraError, ParityError


class LedgerCheck:
    """Every private round was charged before it ended, and the sum is within the budget."""

    def __init__(self) -> None:
        self._findings = Findings("privacy ledger")
        self._settings: Mapping[str, Any] = {}
        self._charges: list[Charge] = []
        self._otherwise = "no privacy budget"

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._settings = record.config.get(PRIVACY) or {}
            if CLIENT_PRIVACY in record.config:
                self._otherwise = "the clients keep their own"
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
        if self._settings and self._charges:
            try:
                spent = self._spent()
            except MissingExtraError as error:
                spent = f"{len(self._charges)} charges, not added up: {error.action}"
            except (ParityError, KeyError, TypeError, ValueError) as error:
                self._findings.require(False, f"the budget cannot be read: {error}"[:200])
        line = self._findings.line("charges", otherwise=self._otherwise)
        return Line(line.name, line.ok, spent if line.ok and spent else line.detail)

    def _spent(self) -> str:
        budget = Budget(epsilon=self._settings["epsilon"], delta=self._settings["delta"])
        spent = Ledger(budget=budget, charges=tuple(self._charges)).spent()
        self._findings.require(
            spent <= budget.epsilon * (1 + 1e-6),
            f"epsilon {spent:.4g} was spent of {budget.epsilon:g}",
        )
        return (
            f"{len(self._charges)} charges, epsilon {spent:.4g} of {budget.epsilon:g} "
            f"at delta {budget.delta:g}"
        )
