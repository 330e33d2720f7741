"""A client's own privacy ledger: in Flower's state for one run, in a file for all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from flwr.app import ConfigRecord, Context

from parity_flwr.clients.charges import note_charge
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.privacy.ledger import Budget, Charge, Ledger
from parity_flwr.errors import ConfigError, JournalError
from parity_flwr.files import atomic_file

STATE_RECORD = "parity-privacy"
_FIELD = "ledger"
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class ClientLedger:
    """Loads, charges and stores the ledger of one client.

    ``Context.state`` lasts as long as the SuperNode runs and the run goes on; it is lost with
    the SuperNode. A file outlives both, and then the budget is for all runs together.

    Parameters
    ----------
    budget : Budget
        The most that may be spent.
    context : Context
        The node's context.
    file : Path, optional
        Where the ledger is kept instead, mode 0600; written before every release, durably.
    """

    budget: Budget
    context: Context
    file: Path | None = None

    @property
    def ledger(self) -> Ledger:
        """What is charged so far.

        Raises
        ------
        JournalError
            The stored ledger cannot be read: nothing may be released then.
        ConfigError
            It is for another unit of protection or neighbour relation.
        """
        stored = self._read()
        if stored is None:
            return Ledger(budget=self.budget)
        ours = (self.budget.unit, self.budget.relation)
        if any((each.unit, each.relation) != ours for each in stored.charges):
            raise ConfigError(
                "a client's ledger needs one unit of protection",
                came="charges for another unit or relation",
                action="use another ledger file for the other kind of privacy",
            )
        return replace(stored, budget=self.budget)

    def next_release(self, run: str, round: int) -> int:
        """Return how often this round was answered already: each answer has fresh noise."""
        charges = self.ledger.charges
        return sum((each.run, each.round) == (run, round) for each in charges)

    def affords(self, charge: Charge) -> None:
        """Check, before any work, that the charge fits.

        Raises
        ------
        BudgetError
            It does not.
        """
        self.ledger.charged(charge)

    def charge(self, charge: Charge) -> None:
        """Store the charge; what it pays for may be drawn afterwards.

        Raises
        ------
        BudgetError
            It does not fit.
        """
        before = self.ledger
        after = before.charged(charge)
        if after is before:
            return
        body = dumps(after)
        if self.file is not None:
            _replace(self.file, body)
        else:
            self.context.state[STATE_RECORD] = ConfigRecord({_FIELD: body})
        note_charge(self.context, charge)

    def _read(self) -> Ledger | None:
        body = self._stored()
        return None if body is None else loads(body, Ledger)

    def _stored(self) -> bytes | None:
        if self.file is not None:
            return _contents(self.file)
        record = self.context.state.config_records.get(STATE_RECORD)
        value = record.get(_FIELD) if record is not None else None
        if value is None or isinstance(value, bytes):
            return value
        raise _damaged("another type")


def _contents(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            body = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(error.strerror or type(error).__name__) from error
    if len(body) > _MAX_BYTES:
        raise _damaged(f"more than {_MAX_BYTES} bytes")
    return body


def _replace(path: Path, body: bytes) -> None:
    """Write the file whole or not at all, and have it on the disk before returning."""
    try:
        with atomic_file(path) as file:
            file.write(body)
    except OSError as error:
        raise _damaged(error.strerror or type(error).__name__) from error


def _damaged(came: str) -> JournalError:
    return JournalError(
        "a client's privacy ledger needs to be readable and writable",
        came=came,
        action="restore it from a backup; a new one would forget what was spent",
    )
