"""Following a run by its journal while another thread or process writes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from parity_flwr.app.journal import SqlJournal, open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.outcome import has_journal
from parity_flwr.core.records import EvaluationRecord, RoundRecord
from parity_flwr.errors import ParityError

INTERVAL_S = 0.5


class Follower:
    """Shows what a run's journal gains, from entering the context to leaving it.

    Only what is committed is shown: what is not in the journal did not happen. A journal
    that is not there yet, or is locked for a moment, is looked at again later.

    Parameters
    ----------
    locate : callable
        Returns the run's folder, or None as long as that is not known.
    table : LiveTable
        Where it is shown.
    interval_s : float, keyword-only
        Seconds between two looks.
    """

    def __init__(
        self,
        locate: Callable[[], RunFolder | None],
        table: LiveTable,
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._locate = locate
        self._folder: RunFolder | None = None
        self._table = table
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._round = 0
        self._evaluations = 0

    def __enter__(self) -> Self:
        journal = self._journal()
        if journal is not None:
            self._round = max((record.round for record in journal.rounds()), default=0)
            self._evaluations = len(journal.evaluations())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            journal = self._journal()
            if journal is not None:
                self._show(journal)
        except ParityError:
            return  # whoever reads the journal at the end reports it

    def _journal(self) -> SqlJournal | None:
        self._folder = self._folder or self._locate()
        if self._folder is None or not has_journal(self._folder):
            return None
        journal = open_journal(self._folder)
        header = journal.header()
        if header is None:
            return None
        self._table.expect(header.num_rounds)
        return journal

    def _show(self, journal: SqlJournal) -> None:
        rounds = journal.rounds(after=self._round)
        evaluations = journal.evaluations()[self._evaluations :]
        self._round = max((record.round for record in rounds), default=self._round)
        self._evaluations += len(evaluations)
        events: list[RoundRecord | EvaluationRecord] = [*rounds, *evaluations]
        for event in sorted(events, key=_order):
            self._table(event)


def _order(event: RoundRecord | EvaluationRecord) -> tuple[int, bool]:
    return event.round, isinstance(event, EvaluationRecord)
