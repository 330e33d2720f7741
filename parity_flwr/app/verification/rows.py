"""The check that the tables for SQL say what the chain says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Table, func, select

from parity_flwr.app.journal import schema
from parity_flwr.app.journal.chain import Ending, Entry, Record
from parity_flwr.app.journal.projections import Row, Rows, project, storable
from parity_flwr.app.verification.checks import Findings, Line
from parity_flwr.core.records import RoundRecord, RunHeader

_TABLES = (schema.rounds, schema.replies, schema.metrics, schema.actions, schema.charges)


class RowsCheck:
    """Compares every row of every table with the one computed from the chain.

    Parameters
    ----------
    connection : Connection
        A connection in one transaction.
    run_id : str
        The run.
    """

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._connection = connection
        self._run_id = run_id
        self._findings = Findings("projections")
        self._counts: Counter[str] = Counter()
        self._actions: dict[int, Row] = {}
        self._run: Row = {"run_id": run_id, "status": "running", "reason": ""}

    def see(self, entry: Entry, record: Record) -> None:
        """Look at the next entry."""
        self._run |= {"head_sequence": entry.sequence, "head_hash": entry.hash}
        if isinstance(record, RunHeader):
            self._run |= {"status": "running", "reason": ""}
        elif isinstance(record, Ending):
            status, reason = storable(record.status), storable(record.reason)
            self._run |= {"status": status, "reason": reason}
        expected = project(self._run_id, entry.sequence, record)
        for row in expected.pop(schema.actions, ()):
            self._actions[entry.sequence] = row
        if isinstance(record, RoundRecord):
            self._apply(record)
        self._compare_all(expected, entry, record)

    def line(self) -> Line:
        """Return the outcome."""
        self._compare(schema.actions, list(self._actions.values()), self._where(schema.actions))
        self._compare(schema.runs, [self._run], self._where(schema.runs))
        for table in _TABLES:
            chosen = select(func.count()).select_from(table)
            found = self._connection.execute(chosen.where(*self._where(table))).scalar_one()
            extra = f"table {table.name} has rows that the chain does not know"
            self._findings.require(found == self._counts[table.name], extra)
        return self._findings.line("rows equal the chain")

    def _apply(self, record: RoundRecord) -> None:
        for action in record.facts.actions:
            if action.sequence in self._actions:
                self._actions[action.sequence]["applied_round"] = record.round

    def _compare_all(self, expected: Rows, entry: Entry, record: Record) -> None:
        for table, rows in expected.items():
            if table in (schema.metrics, schema.charges):
                key = table.c.sequence == entry.sequence
            else:
                key = table.c.round == getattr(record, "round", None)
            self._compare(table, rows, [*self._where(table), key])

    def _where(self, table: Table) -> list[Any]:
        return [table.c.run_id == self._run_id]

    def _compare(self, table: Table, expected: list[Row], where: list[Any]) -> None:
        self._counts[table.name] += len(expected)
        chosen = select(table).where(*where).order_by(*table.primary_key.columns)
        found = [dict(row) for row in self._connection.execute(chosen).mappings()]
        if len(found) != len(expected):
            problem = f"table {table.name} has {len(found)} rows, the chain {len(expected)}"
            self._findings.require(False, problem + _place(expected))
            return
        for row, right in zip(found, expected, strict=True):
            problem = _difference(row, right)
            self._findings.require(
                not problem, f"table {table.name}{_place([right])}: {problem}"
            )


def _difference(row: Row, right: Row) -> str:
    for column, value in right.items():
        if row[column] != value:
            return f"{column} is {row[column]!r:.60}, the chain says {value!r:.60}"
    return ""


def _place(rows: list[Row]) -> str:
    """Say where the rows stand, for people."""
    if not rows:
        return ""
    named = [
        f"{name} {rows[0][name]!r:.60}"
        for name in ("round", "identity", "name")
        if name in rows[0]
    ]
    return f" ({', '.join(named)})" if named else ""
