"""The outbox in the journal's database: what must reach a chain exactly once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from parity_flwr.app.journal.database import Database
from parity_flwr.app.journal.outbox_rows import (
    inclusion_columns,
    parse_attempt,
    parse_outbox_row,
)
from parity_flwr.app.journal.schema import outbox, outbox_attempts, runs
from parity_flwr.core.anchoring import (
    SETTLED,
    Attempt,
    Inclusion,
    Intent,
    OutboxRow,
    OutboxState,
)
from parity_flwr.errors import JournalError

_OPEN = tuple(state.value for state in OutboxState if state not in SETTLED)


class SqlOutbox:
    """The outbox of one run; any process may read it, one sender at a time writes.

    Implements :class:`parity_flwr.core.protocols.Outbox`.

    Parameters
    ----------
    database : Database
        The journal's.
    run_id : str
        Which of its runs; it must have begun.
    """

    def __init__(self, database: Database, run_id: str) -> None:
        self._database = database
        self._run_id = run_id

    def add(self, intent: Intent) -> OutboxRow:
        """Queue a transaction at the end; one with this key that is there stays as it is.

        Raises
        ------
        JournalError
            The run has not begun, or the journal cannot be used.
        """
        with self._database.writing() as connection:
            # Locking the run's row gives two writers different positions.
            locked = select(runs.c.run_id).where(runs.c.run_id == self._run_id)
            if connection.execute(locked.with_for_update()).first() is None:
                raise _unknown(self._run_id)
            found = self._rows(connection, self._all().where(outbox.c.key == intent.key))
            if found:
                return found[0]
            highest = select(func.max(outbox.c.position)).where(self._mine())
            position = (connection.execute(highest).scalar() or 0) + 1
            connection.execute(insert(outbox), self._new(position, intent))
        return OutboxRow(position=position, intent=intent)

    def find(self, key: str) -> OutboxRow | None:
        """Return the row with this key, None if there is none."""
        rows = self._read(self._all().where(outbox.c.key == key))
        return rows[0] if rows else None

    def unsettled(self, *, limit: int) -> tuple[OutboxRow, ...]:
        """Return the first rows that are neither final nor failed, in order."""
        return self._read(self._all().where(outbox.c.state.in_(_OPEN)).limit(limit))

    def failed(self) -> tuple[OutboxRow, ...]:
        """Return the rows that failed, in order."""
        return self._read(self._all().where(outbox.c.state == OutboxState.FAILED.value))

    def rows(self) -> tuple[OutboxRow, ...]:
        """Return all rows, in order."""
        return self._read(self._all())

    def counts(self) -> dict[str, int]:
        """Return how many rows are in each state that any is in."""
        chosen = select(outbox.c.state, func.count()).where(self._mine())
        with self._database.reading() as connection:
            found = connection.execute(chosen.group_by(outbox.c.state)).all()
        return {str(state): int(count) for state, count in found}

    def next_nonce(self, *, chain_id: int, sender: str) -> int:
        """Return the nonce after the highest of an unsettled row of any run here; else 0."""
        chosen = select(func.max(outbox.c.nonce)).where(
            outbox.c.chain_id == chain_id,
            outbox.c.sender == sender,
            outbox.c.state.in_(_OPEN),
        )
        with self._database.reading() as connection:
            highest = connection.execute(chosen).scalar()
        return 0 if highest is None else int(highest) + 1

    def sign(
        self, position: int, *, chain_id: int, sender: str, nonce: int, attempt: Attempt
    ) -> None:
        """Keep signed bytes before a node sees them: the row's first, or a replacement."""
        values = {"chain_id": chain_id, "sender": sender, "nonce": nonce, "reason": ""}
        with self._database.writing() as connection:
            number = select(func.count()).where(
                outbox_attempts.c.run_id == self._run_id,
                outbox_attempts.c.position == position,
            )
            row = {
                "run_id": self._run_id,
                "position": position,
                "attempt": connection.execute(number).scalar_one() + 1,
                "raw": attempt.raw.hex(),
                "tx_hash": attempt.tx_hash.hex(),
                "max_fee": attempt.max_fee,
                "priority_fee": attempt.priority_fee,
                "first_seen": attempt.first_seen,
            }
            connection.execute(insert(outbox_attempts), row)
            self._update(connection, position, state=OutboxState.SIGNED.value, **values)

    def advance(
        self,
        position: int,
        state: OutboxState,
        *,
        inclusion: Inclusion | None = None,
        reason: str = "",
    ) -> None:
        """Note how far a row has come; without an inclusion the row has none."""
        where = inclusion_columns(inclusion)
        with self._database.writing() as connection:
            self._update(
                connection, position, state=state.value, reason=_storable(reason), **where
            )

    def requeue(self, position: int, *, reason: str) -> None:
        """Forget nonce and attempts, so that the row is signed anew."""
        empty = {"chain_id": None, "sender": None, "nonce": None, **inclusion_columns(None)}
        with self._database.writing() as connection:
            connection.execute(
                outbox_attempts.delete().where(
                    outbox_attempts.c.run_id == self._run_id,
                    outbox_attempts.c.position == position,
                )
            )
            state = OutboxState.QUEUED.value
            self._update(connection, position, state=state, reason=_storable(reason), **empty)

    def _mine(self) -> Any:
        return outbox.c.run_id == self._run_id

    def _all(self) -> Select[Any]:
        return select(outbox).where(self._mine()).order_by(outbox.c.position)

    def _new(self, position: int, intent: Intent) -> dict[str, Any]:
        return {
            "run_id": self._run_id,
            "position": position,
            "key": _storable(intent.key),
            "round": intent.round,
            "to_address": intent.to,
            "data": intent.data.hex(),
            "value": str(intent.value),
            "gas": intent.gas,
            "state": OutboxState.QUEUED.value,
            "reason": "",
        }

    def _update(self, connection: Connection, position: int, **values: Any) -> None:
        chosen = update(outbox).where(self._mine(), outbox.c.position == position)
        connection.execute(chosen.values(**values))

    def _read(self, chosen: Select[Any]) -> tuple[OutboxRow, ...]:
        with self._database.reading() as connection:
            return self._rows(connection, chosen)

    def _rows(self, connection: Connection, chosen: Select[Any]) -> tuple[OutboxRow, ...]:
        found = connection.execute(chosen).all()
        positions = [row.position for row in found if row.nonce is not None]
        attempts: dict[int, list[Attempt]] = {}
        tried = select(outbox_attempts).where(
            outbox_attempts.c.run_id == self._run_id, outbox_attempts.c.position.in_(positions)
        )
        for row in connection.execute(tried.order_by(outbox_attempts.c.attempt)):
            attempts.setdefault(row.position, []).append(parse_attempt(row))
        return tuple(
            parse_outbox_row(row, tuple(attempts.get(row.position, ()))) for row in found
        )


def _storable(text: str) -> str:
    """Return text that both databases take: no NUL, no lone surrogate, at most 500."""
    return text.replace("\0", "").encode("ascii", "backslashreplace").decode("ascii")[:500]


def _unknown(run_id: str) -> JournalError:
    return JournalError(
        f"an outbox needs the run {run_id[:80]} to have begun",
        came="no such run",
        action="check the run's id, or start the run first",
    )
