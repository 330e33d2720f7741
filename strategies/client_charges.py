"""What clients say that they charged, in the server's journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from logging import WARNING
from typing import Any

from flwr.app import Message
from flwr.common import log

from parity_flwr.core.privacy.charge_report import ChargeReport
from parity_flwr.core.privacy.ledger import Budget, Charge, Spending
from parity_flwr.core.privacy.rounds import CLIENT_PRIVACY, ledger_delta
from parity_flwr.core.protocols import ChargeStore, Journal
from parity_flwr.core.wire import CHARGES, PARITY_RECORD
from parity_flwr.errors import ConfigError, JournalError
from parity_flwr.strategies.intake import Answer


def promised(budget: Budget | None) -> Mapping[str, Any]:
    """Return what a run's header says about the clients' promise; empty without one.

    Examples
    --------
    >>> promised(Budget(epsilon=2.0, delta=1e-5))["client-privacy"]["epsilon"]
    2.0
    """
    if budget is None:
        return {}
    return {CLIENT_PRIVACY: {name: _plain(each) for name, each in asdict(budget).items()}}


def record_charges(
    journal: Journal | None, answers: Iterable[Answer], *, run: str, round: int
) -> None:
    """Write down the charges that the round's replies report, before the round is committed.

    They are the clients' word, under the identity that sent them: a client that hides
    charges hurts its own data only. What is malformed, of another run or of a later round,
    or contradicts what was reported before, is left out with a warning.
    """
    if not isinstance(journal, ChargeStore):
        return
    for answer in answers:
        if answer.message is None:
            continue
        try:
            for charge in _reported(answer.message):
                if charge.run == run and 0 <= charge.round <= round:
                    journal.charge(replace(charge, client=answer.asked.identity))
        except (ConfigError, JournalError) as error:
            log(WARNING, "Charges of %s are left out: %s", answer.asked.identity, error)


def state_spending(journal: Journal | None, promise: Mapping[str, Any], *, round: int) -> None:
    """Write down what the reported charges add up to, for whoever verifies the run.

    ``promise`` is what the run's header says under "client-privacy".
    """
    if not promise or not isinstance(journal, ChargeStore):
        return
    charges = journal.charges()
    if charges:
        spending = Spending.of(charges, round=round, delta=ledger_delta(promise))
        journal.state_spending(spending)


def _reported(reply: Message) -> tuple[Charge, ...]:
    record = reply.content.config_records.get(PARITY_RECORD)
    body = record.get(CHARGES) if record is not None else None
    return ChargeReport.unpack(body).charges if isinstance(body, bytes) else ()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value
