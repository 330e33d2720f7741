"""The check of the privacy ledger: charged for each release, once, added up again.

From the journal alone: the charges go through the accountant, for the run and for each
client, and what comes out must be what the run states and within what it promised.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.journal.chain import Ending, Entry, Record
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.privacy.ledger import EVERYONE, Charge, Key, Spending, spent_by_client
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY, PRIVACY, ledger_delta
from parity_flwr.core.records import RoundRecord, RunHeader, Verdict
from parity_flwr.errors import MissingExtraError, ParityError

_TOLERANCE = 1e-6  # of an epsilon, relative: the same accountant on the same charges


@dataclass(frozen=True)
class _Promise:
    """What the header says may be spent, and by whom the ledger is kept."""

    epsilon: float
    delta: float
    by_clients: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> _Promise | None:
        """Read a header's configuration; None where nothing is promised."""
        by_clients = CLIENT_PRIVACY in config
        settings = config.get(CLIENT_PRIVACY if by_clients else PRIVACY)
        if not settings:
            return None
        return cls(float(settings["epsilon"]), float(ledger_delta(settings)), by_clients)


class LedgerCheck:
    """Every private round was charged, and the charges add up to what the run states.

    Where the server adds the noise, a round needs its charge before it ends, with the noise
    of the header. Where the clients do, each accepted reply needs its client's charge.

    Parameters
    ----------
    run_id : str
        Whose charges count.
    """

    def __init__(self, run_id: str) -> None:
        self._findings = Findings("privacy ledger")
        self._run_id = run_id
        self._settings: Mapping[str, Any] = {}
        self._promise: _Promise | None = None
        self._charges: list[Charge] = []
        self._keys: set[Key] = set()
        self._charged: set[int] = set()  # rounds
        self._released: list[tuple[int, str]] = []
        self._stated: list[tuple[Spending, int]] = []
        self._completed = False

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        if isinstance(record, RunHeader):
            self._see_header(record)
        elif isinstance(record, Charge):
            self._see_charge(entry, record)
        elif isinstance(record, Spending):
            self._stated.append((record, len(self._charges)))
        elif isinstance(record, RoundRecord):
            self._see_round(record)
        elif isinstance(record, Ending):
            self._completed = record.status == "completed"

    def line(self) -> Line:
        """Return the outcome."""
        told = ""
        if self._promise is not None:
            try:
                self._check_releases(self._promise)
                told = self._check_sums(self._promise)
            except MissingExtraError as error:
                told = f"{len(self._charges)} charges, not added up: {error.action}"
            except (ParityError, ArithmeticError, LookupError, TypeError, ValueError) as error:
                self._findings.require(False, f"the budget cannot be read: {error}"[:200])
        elif self._charges:
            clients = {each.client for each in self._charges}
            told = f"{self._reported(clients)}, no budget stated"
        otherwise = "no privacy budget"
        if self._promise is not None and self._promise.by_clients:
            otherwise = "the clients keep their own ledgers, and reported no charge"
        line = self._findings.line("charges", otherwise=otherwise)
        return Line(line.name, line.ok, told if line.ok and told else line.detail)

    def _see_header(self, header: RunHeader) -> None:
        self._settings = header.config.get(PRIVACY) or {}
        try:
            self._promise = _Promise.of(header.config)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self._findings.require(False, f"the budget cannot be read: {error!r}"[:200])

    def _see_charge(self, entry: Entry, charge: Charge) -> None:
        self._findings.require(
            charge.key not in self._keys, f"entry {entry.sequence} charges a release again"
        )
        ours = charge.run == self._run_id
        self._findings.require(ours, f"entry {entry.sequence} charges another run")
        self._charges.append(charge)
        self._keys.add(charge.key)
        self._charged.add(charge.round)

    def _see_round(self, record: RoundRecord) -> None:
        if self._promise is None:
            return
        if not self._promise.by_clients:
            charged = record.round in self._charged
            self._findings.require(charged, f"round {record.round} was released uncharged")
        for reply in record.facts.replies:
            if reply.verdict is Verdict.ACCEPTED:
                self._released.append((record.round, reply.identity))

    def _check_releases(self, promise: _Promise) -> None:
        """Compare who sent what with who was charged; a run that goes on may lag a round."""
        if promise.by_clients and self._completed and self._charges:
            charged = {(each.round, each.client) for each in self._charges}
            for round_, client in self._released:
                self._findings.require(
                    (round_, client) in charged,
                    f"round {round_}: what {client!r:.60} sent was released uncharged",
                )

    def _check_sums(self, promise: _Promise) -> str:
        self._require_statement(promise)
        if not self._charges:
            return ""
        spent = spent_by_client(self._charges, delta=promise.delta)
        for name, epsilon in spent.items():
            self._findings.require(
                epsilon <= promise.epsilon * (1 + _TOLERANCE),
                f"epsilon {epsilon:.4g} was spent of {promise.epsilon:g}{_by(name)}",
            )
        for stated, seen in self._stated:
            again = spent
            if seen != len(self._charges):
                again = spent_by_client(self._charges[:seen], delta=promise.delta)
            self._compare(stated, again, promise)
        self._require_noise()
        most = max(spent.values())
        told = self._reported(spent) if promise.by_clients else f"{len(self._charges)} charges"
        return f"{told}, epsilon {most:.4g} of {promise.epsilon:g} at delta {promise.delta:g}"

    def _reported(self, clients: Collection[str]) -> str:
        return f"{len(self._charges)} charges that {len(clients)} clients reported"

    def _require_statement(self, promise: _Promise) -> None:
        missing = self._completed and bool(self._charges) and not self._stated
        self._findings.require(not missing, "the run ended without stating what was spent")

    def _compare(self, stated: Spending, again: Mapping[str, float], promise: _Promise) -> None:
        where = f"the statement after round {stated.round}"
        self._findings.require(
            math.isclose(stated.delta, promise.delta, rel_tol=_TOLERANCE),
            f"{where} is at delta {stated.delta:g}, the promise at {promise.delta:g}",
        )
        for name in sorted({*stated.clients, *again}):
            said, is_ = stated.clients.get(name, 0.0), again.get(name, 0.0)
            self._findings.require(
                math.isclose(said, is_, rel_tol=_TOLERANCE),
                f"{where} says epsilon {said:.6g}{_by(name)}, the charges add up to {is_:.6g}",
            )

    def _require_noise(self) -> None:
        """Check that the server's charges have the header's noise."""
        planned = self._settings.get("noise_multiplier")
        for charge in self._common():
            self._findings.require(
                planned in (None, charge.noise_multiplier),
                f"round {charge.round} was charged for noise {charge.noise_multiplier:g}, "
                f"the header says {planned}",
            )

    def _common(self) -> Sequence[Charge]:
        return [each for each in self._charges if each.client == EVERYONE]


def _by(name: str) -> str:
    return "" if name == EVERYONE else f" by {name!r:.60}"
