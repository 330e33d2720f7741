"""What a run would need: reckoned from measured figures, each named where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.runs.size import free_bytes

_KB = 1000
SETUP_BYTES = 50 << 20
"""What a strategy's first round adds to a process whatever the model: database, buffers."""

SKETCH_BYTES = 50 * _KB
"""What a checkpoint remembers of each client: 6,175 numbers of a sketch, measured."""

KEPT_CHECKPOINTS = 3
JOURNAL_BYTES = 180 * _KB
"""Journal and report of a run without rounds."""

ROUND_BYTES = 4 * _KB
CLIENT_ROUND_BYTES = 2500
"""What journal, log, metrics and report grow by, each round and for each client in it."""

PUBLISHED_BYTES = 12 * _KB
PUBLISHED_CLIENT_BYTES = 2400
"""What scores, outbox, notes and the embedded chain grow by beside the round's model."""


@dataclass(frozen=True, kw_only=True)
class Federation:
    """What the forecasts go by.

    Parameters
    ----------
    clients, rounds : int
    model_bytes : int
        Of the named arrays that travel.
    remembers : bool
        Whether the server keeps a sketch of each client's update; it sees none of a sum.
    export_bytes : int
        Of the model in other formats at the end.
    """

    clients: int
    rounds: int
    model_bytes: int
    remembers: bool = True
    export_bytes: int = 0


def aggregation_bytes(federation: Federation) -> int:
    """Return by how much a server's memory grows from its first message to its last.

    Replies and their rows stand beside each other: two models for each client and six of
    the server's, measured on 10^5 to 4 * 10^6 parameters and 5 to 30 clients.
    """
    return SETUP_BYTES + federation.model_bytes * (2 * federation.clients + 6)


def disk_forecast(
    federation: Federation, *, keep_updates: bool, published: bool, cap: int | None, home: Path
) -> dict[str, Any]:
    """Return the bytes that a run's folder will hold at the end, by what holds them."""
    clients, rounds, model = federation.clients, federation.rounds, federation.model_bytes
    kept = min(rounds, KEPT_CHECKPOINTS)
    memory = clients * SKETCH_BYTES if federation.remembers else 0
    parts = {
        "checkpoints": kept * (model + memory),
        "journal_and_report": JOURNAL_BYTES
        + rounds * (ROUND_BYTES + clients * CLIENT_ROUND_BYTES),
        "model": model + max(model, federation.export_bytes),
    }
    if keep_updates:
        parts["updates"] = rounds * (clients + 1) * (model + _KB)
    if published:
        parts["published"] = rounds * (
            model + PUBLISHED_BYTES + clients * PUBLISHED_CLIENT_BYTES
        )
    return {
        "bytes": sum(parts.values()),
        "parts": parts,
        "cap": cap,
        "free_bytes": free_bytes(home),
    }
