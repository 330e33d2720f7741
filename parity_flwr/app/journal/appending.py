"""Appending to the chain: one entry with all its rows in one transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text, update

from parity_flwr.app.journal.chain import (
    Ending,
    Record,
    genesis,
    kind_of,
    link,
    parse_row,
)
from parity_flwr.app.journal.projections import project, storable
from parity_flwr.app.journal.reading import JournalReader, same_entry
from parity_flwr.app.journal.schema import actions, charges, entries, runs
from parity_flwr.core.canonical import dumps
from parity_flwr.core.privacy.ledger import Charge, Spending, require_same
from parity_flwr.core.records import Action, RoundRecord, RunHeader


class JournalWriter(JournalReader):
    """The journal of one run, for reading and for appending from any process."""

    def _register(self) -> None:
        """Make the run's row if it is not there; two processes may try at once."""
        statement = text(
            "INSERT INTO runs (run_id, head_sequence, head_hash, status, reason) "
            "VALUES (:run_id, 0, :head, 'running', '') ON CONFLICT DO NOTHING"
        )
        values = {"run_id": self.run_id, "head": genesis(self.run_id)}
        with self.database.writing() as connection:
            connection.execute(statement, values)

    def charge(self, charge: Charge) -> None:
        """Write a charge before its release, once: a key that is there is not written again.

        Raises
        ------
        JournalError
            The key is there with other numbers, or the journal cannot be used.
        """
        with self.database.writing() as connection:
            self._lock(connection)
            present = self._charged(connection, charge)
            if present is None:
                self._append(connection, charge)
            else:
                require_same(present, charge)

    def state_spending(self, spending: Spending) -> None:
        """Write what the run states that it has spent, for ``parity verify`` to compare."""
        self._write(spending)

    def _charged(self, connection: Connection, charge: Charge) -> Charge | None:
        chosen = (
            select(entries)
            .join(charges, same_entry(charges))
            .where(
                entries.c.run_id == self.run_id,
                charges.c.round == charge.round,
                charges.c.client == storable(charge.client),
                charges.c.mechanism == charge.mechanism.value,
                charges.c.release == charge.release,
            )
        )
        for row in connection.execute(chosen):
            found = parse_row(row).record
            if isinstance(found, Charge) and found.key == charge.key:
                return found
        return None

    def _write(self, record: Record) -> int:
        """Append one entry with all its rows; return its sequence."""
        with self.database.writing() as connection:
            return self._append(connection, record)

    def _append(self, connection: Connection, record: Record) -> int:
        sequence, previous = self._lock(connection)
        if isinstance(record, Action):
            record = replace(record, sequence=sequence)
        kind, body = kind_of(record), dumps(record).decode("ascii")
        entry = {
            "run_id": self.run_id,
            "sequence": sequence,
            "kind": kind,
            "body": body,
            "previous_hash": previous,
            "hash": link(previous, kind, body),
            "written_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        connection.execute(insert(entries), entry)
        for table, rows in project(self.run_id, sequence, record).items():
            self._insert(connection, table, rows)
        self._settle(connection, record)
        head = {"head_sequence": sequence, "head_hash": entry["hash"], **_standing(record)}
        connection.execute(update(runs).where(runs.c.run_id == self.run_id).values(**head))
        return sequence

    def _lock(self, connection: Connection) -> tuple[int, str]:
        """Lock the run; return the next entry's sequence and the hash it follows."""
        chosen = select(runs).where(runs.c.run_id == self.run_id).with_for_update()
        row = connection.execute(chosen).first()
        if row is None:
            raise self.unknown()
        return row.head_sequence + 1, row.head_hash

    def _insert(self, connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(insert(table), rows)

    def _settle(self, connection: Connection, record: Record) -> None:
        """Mark the actions that this round has applied."""
        if not isinstance(record, RoundRecord) or not record.facts.actions:
            return
        applied = [action.sequence for action in record.facts.actions]
        chosen = update(actions).where(
            actions.c.run_id == self.run_id, actions.c.sequence.in_(applied)
        )
        connection.execute(chosen.values(applied_round=record.round))


def _standing(record: Record) -> dict[str, str]:
    """Return what an entry says about the run's status."""
    if isinstance(record, Ending):
        return {"status": storable(record.status), "reason": storable(record.reason)}
    if isinstance(record, RunHeader):
        return {"status": "running", "reason": ""}
    return {}
