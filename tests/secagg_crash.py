"""A masked run that kills itself with SIGKILL: ``secagg_crash.py FOLDER STAGE ROUND``."""

from __future__ import annotations

import sys
from pathlib import Path

from flwr.app import Message
from flwr.serverapp.strategy import Result

from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.strategies import SecureAggregation
from run_crash import die
from secagg_runs import Staged, secagg_app
from trust_runs import MODEL, record

CLIENTS, ROUNDS = 5, 3


def play(folder: Path, stage: str = "", at: int = 0) -> tuple[Result, SqlJournal, list[bytes]]:
    """Start the run in that folder, or continue it; return the advertised keys too."""
    run = RunFolder(folder).make()
    journal = SqlJournal(run.journal_url, "run", run)
    strategy = SecureAggregation(seed=3, journal=journal)
    times = [0]

    def twist(now: str, partition: int, message: Message) -> Message:
        if now == stage and partition == 2:
            times[0] += 1
            if times[0] == at:
                die()
        return message

    with Staged(secagg_app(), CLIENTS, twist=twist) as grid:
        result = strategy.start(grid, record(MODEL), num_rounds=ROUNDS, timeout=60)
    keys = [
        reply.content.config_records["parity-secagg"]["keys"]
        for now, _, reply in grid.seen
        if now == "advertise"
    ]
    return result, journal, [bytes(key) for key in keys if isinstance(key, bytes)]


if __name__ == "__main__":
    play(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
