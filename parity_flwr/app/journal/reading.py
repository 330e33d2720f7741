"""Reading a journal: all of it comes from the chain, through types that are checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, func, select

from parity_flwr.app.journal.chain import Ending, Entry, Record, parse_row, unreadable
from parity_flwr.app.journal.database import Database
from parity_flwr.app.journal.schema import actions, entries, rounds, runs
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.core.records import Action, EvaluationRecord, RoundRecord, RunHeader
from parity_flwr.errors import JournalError

Kind = TypeVar("Kind", bound=Record)

_PAGE = 32


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """Where a run stands."""

    status: str  # running, completed or failed
    reason: str = ""
    created: str = ""  # when the first entry was written, ISO 8601, UTC
    finished: str = ""  # when the end was written; empty before
    round: int = 0  # the last one that is committed
    num_rounds: int = 0


class JournalReader:
    """The journal of one run, for reading.

    Parameters
    ----------
    database : Database
        Where it lies.
    run_id : str
        Which of the database's runs it is.
    """

    def __init__(self, database: Database, run_id: str) -> None:
        self.database = database
        self.run_id = run_id
        self._pinned: Connection | None = None

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Within this context all methods read one and the same state of the journal."""
        with self.database.reading() as connection:
            self._pinned = connection
            try:
                yield connection
            finally:
                self._pinned = None

    def entries(self, *, after: int = 0) -> Iterator[Entry]:
        """Yield the links of the chain with a sequence above ``after``, in order.

        Raises
        ------
        JournalError
            A row cannot be an entry. Whether the chain holds is for ``parity verify``.
        """
        while True:
            page = self._page(after)
            for entry in page:
                if entry.sequence <= after:
                    raise unreadable(entry.sequence, f"a sequence not above {after}")
                after = entry.sequence
                yield entry
            if len(page) < _PAGE:
                return

    def header(self) -> RunHeader | None:
        """Return the header in force (a resumed run has several), None before the first."""
        return self._last(RunHeader, "header")

    def rounds(self, after: int = 0) -> list[RoundRecord]:
        """Return the committed rounds above ``after``, in order."""
        chosen = (
            select(entries)
            .join(rounds, same_entry(rounds))
            .where(entries.c.run_id == self.run_id, rounds.c.round > after)
            .order_by(rounds.c.round)
        )
        with self.reading() as connection:
            found = [parse_row(row) for row in connection.execute(chosen)]
        return [_expect(RoundRecord, entry) for entry in found]

    def length(self) -> int:
        """Return how many entries the journal holds, sound or not."""
        chosen = select(func.count()).where(entries.c.run_id == self.run_id)
        with self.reading() as connection:
            return int(connection.execute(chosen).scalar_one())

    def last_round(self) -> RoundRecord | None:
        """Return the last committed round, None before the first."""
        return self._last(RoundRecord, "round")

    def evaluations(self) -> list[EvaluationRecord]:
        """Return all evaluations, in the order they were written."""
        return self._all(EvaluationRecord, "evaluation")

    def all_actions(self) -> list[Action]:
        """Return all bans and pardons, applied or not."""
        return self._all(Action, "action")

    def actions(self) -> tuple[Action, ...]:
        """Return the bans and pardons that no committed round has applied yet, in order."""
        chosen = (
            select(entries)
            .join(actions, same_entry(actions))
            .where(entries.c.run_id == self.run_id, actions.c.applied_round.is_(None))
            .order_by(entries.c.sequence)
        )
        with self.reading() as connection:
            found = [parse_row(row) for row in connection.execute(chosen)]
        return tuple(_expect(Action, entry) for entry in found)

    def charges(self) -> tuple[Charge, ...]:
        """Return every charge against the privacy budget, in the order they were made."""
        return tuple(self._all(Charge, "charge"))

    def status(self) -> RunStatus:
        """Return where the run stands.

        Raises
        ------
        JournalError
            The journal does not know the run.
        """
        with self.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == self.run_id)).first()
            times = connection.execute(self._times()).one()
            reached = connection.execute(
                select(func.max(rounds.c.round)).where(rounds.c.run_id == self.run_id)
            ).scalar()
        header = self.header() if row is not None else None
        if row is None or header is None:
            raise self.unknown()
        return RunStatus(
            status=str(row.status),
            reason=str(row.reason),
            created=str(times[0]),
            finished="" if row.status == "running" else str(times[1]),
            round=reached if isinstance(reached, int) else 0,
            num_rounds=header.num_rounds,
        )

    def ending(self) -> Ending | None:
        """Return how the run ended last, None if it never did."""
        return self._last(Ending, "end")

    def unknown(self) -> JournalError:
        """Return the error for a run that the journal does not know."""
        return JournalError(
            f"the journal {self.database.label} needs to hold the run {self.run_id}",
            came="no such run",
            action="check the run's id, or start the run first",
        )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read from."""
        if self._pinned is not None:
            yield self._pinned
            return
        with self.database.reading() as connection:
            yield connection

    def _times(self) -> Select[Any, Any]:
        written, ended = entries.c.written_at, entries.c.kind == "end"
        last = func.max(case((ended, written)))
        return select(func.min(written), last).where(entries.c.run_id == self.run_id)

    def _page(self, after: int) -> list[Entry]:
        chosen = select(entries).where(
            entries.c.run_id == self.run_id, entries.c.sequence > after
        )
        with self.reading() as connection:
            rows = connection.execute(chosen.order_by(entries.c.sequence).limit(_PAGE))
            return [parse_row(row) for row in rows]

    def _of_kind(self, kind: str, *, newest: int | None = None) -> list[Entry]:
        order = entries.c.sequence if newest is None else entries.c.sequence.desc()
        chosen = (
            select(entries)
            .where(entries.c.run_id == self.run_id, entries.c.kind == kind)
            .order_by(order)
            .limit(newest)
        )
        with self.reading() as connection:
            return [parse_row(row) for row in connection.execute(chosen)]

    def _all(self, cls: type[Kind], kind: str) -> list[Kind]:
        return [_expect(cls, entry) for entry in self._of_kind(kind)]

    def _last(self, cls: type[Kind], kind: str) -> Kind | None:
        found = self._of_kind(kind, newest=1)
        return _expect(cls, found[0]) if found else None


def same_entry(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row of a table belongs to a row of ``entries``."""
    return and_(entries.c.run_id == table.c.run_id, entries.c.sequence == table.c.sequence)


def _expect(cls: type[Kind], entry: Entry) -> Kind:
    record = entry.record
    if not isinstance(record, cls):
        raise unreadable(entry.sequence, f"the kind {entry.kind!r:.40}")
    return record
