"""The hash chain: entries, what each kind holds, and how they hang together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from parity_flwr.core.canonical import chain_hash, loads
from parity_flwr.core.privacy.ledger import Charge, Spending
from parity_flwr.core.records import Action, EvaluationRecord, RoundRecord, RunHeader
from parity_flwr.errors import JournalError


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run ended; the sketches' secret seed is revealed here."""

    status: str  # completed or failed
    reason: str = ""
    sketch_seed: str = ""  # hex


Record = RunHeader | RoundRecord | EvaluationRecord | Action | Charge | Spending | Ending

_KINDS: dict[str, type[Record]] = {
    "header": RunHeader,
    "round": RoundRecord,
    "evaluation": EvaluationRecord,
    "action": Action,
    "charge": Charge,
    "spending": Spending,
    "end": Ending,
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One link of the chain."""

    sequence: int
    kind: str
    body: str
    previous_hash: str
    hash: str
    written_at: str

    @property
    def record(self) -> Record:
        """The body, parsed.

        Raises
        ------
        JournalError
            The body is not what its kind says; the message names the entry.
        """
        try:
            return loads(self.body, _KINDS[self.kind])
        except KeyError as error:
            raise unreadable(self.sequence, f"the kind {self.kind!r:.40}") from error
        except JournalError as error:
            raise unreadable(self.sequence, str(error)) from error


def genesis(run_id: str) -> str:
    """Return the hash that stands before the first entry: it binds the run's id."""
    return hashlib.sha256(b"parity-flwr/run/v1\0" + run_id.encode()).hexdigest()


def link(previous: str, kind: str, body: str) -> str:
    """Return an entry's hash.

    Raises
    ------
    JournalError
        The body is not ASCII, or ``previous`` is no hash.
    """
    return chain_hash(previous, kind, body.encode("utf-8", "surrogatepass"))


def kind_of(record: Record) -> str:
    """Return the kind of entry that holds this record."""
    return next(kind for kind, held in _KINDS.items() if type(record) is held)


def parse_row(row: Any) -> Entry:
    """Return the entry in a row of the table ``entries``, whose columns may be anything.

    Raises
    ------
    JournalError
        A column is not of its type.
    """
    sequence, *texts = (row.sequence, row.kind, row.body, row.previous_hash, row.hash)
    if not isinstance(sequence, int) or not all(isinstance(text, str) for text in texts):
        raise unreadable(sequence, "a column of another type")
    kind, body, previous_hash, hash_ = texts
    return Entry(
        sequence=sequence,
        kind=kind,
        body=body,
        previous_hash=previous_hash,
        hash=hash_,
        written_at=str(row.written_at),
    )


def unreadable(sequence: object, came: str) -> JournalError:
    """Return the error for an entry that cannot be read."""
    return JournalError(
        f"entry {sequence!r:.40} of the journal needs to be readable",
        came=came,
        action="run 'parity verify' and restore the journal from a backup",
    )
