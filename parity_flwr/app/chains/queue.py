"""What of a run has reached its chain, and trying again what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.anchoring import OutboxRow


def show_outbox(reference: str, home: Path, *, retry: bool) -> dict[str, Any]:
    """Return the state of a run's transactions; ``retry`` queues the failed ones again.

    Raises
    ------
    ConfigError, JournalError
        There is no such run, or its journal cannot be used.
    """
    folder = RunFolder.find(reference, home)
    journal = open_journal(folder)
    outbox = SqlOutbox(journal.database, journal.run_id)
    failed = outbox.failed()
    if retry:
        for row in failed:
            outbox.requeue(row.position, reason="tried again by hand")
    return {
        "run_id": folder.id,
        "states": outbox.counts(),
        "failed": [_plain(row) for row in failed],
        "under_way": [_plain(row) for row in outbox.unsettled(limit=20)],
        "retried": len(failed) if retry else 0,
    }


def _plain(row: OutboxRow) -> dict[str, Any]:
    newest = row.attempts[-1].tx_hash if row.attempts else b""
    shown = row.tx_hash or newest
    return {
        "key": row.intent.key,
        "state": row.state.value,
        "nonce": row.nonce,
        "transaction": "0x" + shown.hex() if shown else "",
        "reason": row.reason,
    }
