"""An outbox that ends with the process: for single commands, which a person repeats."""

from __future__ import annotations

from dataclasses import replace

from parity_flwr.core.anchoring import (
    SETTLED,
    Attempt,
    Inclusion,
    Intent,
    OutboxRow,
    OutboxState,
    mined_as,
)


class MemoryOutbox:
    """Implements :class:`parity_flwr.core.protocols.Outbox` without a disk."""

    def __init__(self) -> None:
        self._rows: dict[int, OutboxRow] = {}
        self._positions: dict[str, int] = {}

    def add(self, intent: Intent) -> OutboxRow:
        """Queue a transaction at the end; one with this key that is there stays as it is."""
        position = self._positions.setdefault(intent.key, len(self._rows) + 1)
        return self._rows.setdefault(position, OutboxRow(position=position, intent=intent))

    def find(self, key: str) -> OutboxRow | None:
        """Return the row with this key, None if there is none."""
        return self._rows.get(self._positions.get(key, 0))

    def unsettled(self, *, limit: int) -> tuple[OutboxRow, ...]:
        """Return the first rows that are neither final nor failed, in order."""
        rows = [row for row in self._rows.values() if row.state not in SETTLED]
        return tuple(rows[:limit])

    def failed(self) -> tuple[OutboxRow, ...]:
        """Return the rows that failed, in order."""
        return tuple(row for row in self._rows.values() if row.state is OutboxState.FAILED)

    def next_nonce(self, *, chain_id: int, sender: str) -> int:
        """Return the nonce after the highest of an unsettled row; 0 without any."""
        return max(
            (
                row.nonce + 1
                for row in self._rows.values()
                if (row.chain_id, row.sender) == (chain_id, sender)
                and row.nonce is not None
                and row.state not in SETTLED
            ),
            default=0,
        )

    def sign(
        self, position: int, *, chain_id: int, sender: str, nonce: int, attempt: Attempt
    ) -> None:
        """Keep signed bytes before a node sees them: the row's first, or a replacement."""
        row = self._rows[position]
        self._rows[position] = replace(
            row,
            state=OutboxState.SIGNED,
            chain_id=chain_id,
            sender=sender,
            nonce=nonce,
            attempts=(*row.attempts, attempt),
        )

    def advance(
        self,
        position: int,
        state: OutboxState,
        *,
        inclusion: Inclusion | None = None,
        reason: str = "",
    ) -> None:
        """Note how far a row has come; without an inclusion the row has none."""
        row = self._rows[position]
        self._rows[position] = replace(row, state=state, reason=reason, **mined_as(inclusion))

    def requeue(self, position: int, *, reason: str) -> None:
        """Forget nonce and attempts: the nonce went to another transaction for good."""
        old = self._rows[position]
        self._rows[position] = OutboxRow(position=position, intent=old.intent, reason=reason)
