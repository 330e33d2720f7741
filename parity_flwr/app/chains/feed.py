"""The journal as a queue: its rounds in order, with the hash of each one's entry."""

from __future__ import annotations

from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.core.records import RoundRecord


class RoundFeed:
    """Reads a journal that another thread or process writes, each entry once.

    Parameters
    ----------
    journal : SqlJournal
    """

    def __init__(self, journal: SqlJournal) -> None:
        self._journal = journal
        self._sequence = 0
        self._rounds: list[RoundRecord] = []
        self._heads: dict[int, str] = {}

    def after(self, number: int) -> list[RoundRecord]:
        """Return the committed rounds above ``number``, in order."""
        for entry in self._journal.entries(after=self._sequence):
            record = entry.record if entry.kind == "round" else None
            if isinstance(record, RoundRecord):
                self._heads[record.round] = entry.hash
                self._rounds.append(record)
            self._sequence = entry.sequence
        self._rounds = [record for record in self._rounds if record.round > number]
        return list(self._rounds)

    def head(self, number: int) -> str:
        """Return the hash of a round's entry, empty if the round was not read."""
        return self._heads.get(number, "")
