"""The journal of a run: what is not in it did not happen."""

from parity_flwr.app.journal.chain import Entry
from parity_flwr.app.journal.opening import from_environment, open_journal
from parity_flwr.app.journal.reading import JournalReader, RunStatus
from parity_flwr.app.journal.sql_journal import SqlJournal

__all__ = [
    "Entry",
    "JournalReader",
    "RunStatus",
    "SqlJournal",
    "from_environment",
    "open_journal",
]
