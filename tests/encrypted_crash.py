"""An encrypted run that kills itself: ``encrypted_crash.py FOLDER REVEAL POINT ROUND``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from flwr.app import ConfigRecord, Message
from flwr.serverapp.strategy import Result

from encrypted_runs import agreed, encrypted_app
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.clients import EncryptionPolicy
from parity_flwr.core.encryption.terms import CIPHERTEXT, Reveal
from parity_flwr.strategies import EncryptedAggregation, Encryption, Sampling
from trust_runs import MODEL, record

CLIENTS, ROUNDS = 5, 3
POINTS = ("while clients train", "while the sum is opened", "in commit")


def die() -> NoReturn:
    """End this process as the kernel's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class Mortal(InProcessGrid):
    """A grid in which the process dies when a message of a kind was answered."""

    point, at = "", 0

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        sent = list(messages)
        replies = list(super().send_and_receive(sent, timeout=timeout))
        if not sent:
            return replies
        config = sent[0].content.config_records.get("config", ConfigRecord())
        opening = CIPHERTEXT in sent[0].content.array_records.get("arrays", {})
        now = "while the sum is opened" if opening else "while clients train"
        if (now, self.at) == (self.point, config.get("server-round")):
            die()
        return replies


def play(
    folder: Path, reveal: Reveal, point: str = "", at: int = 0
) -> tuple[Result, SqlJournal, EncryptedAggregation]:
    """Start the run in that folder, or continue it."""
    run = RunFolder(folder).make()
    journal = SqlJournal(run.journal_url, "run", run)
    if point == "in commit":
        write = journal._write

        def dying(entry: Any) -> Any:
            return die() if getattr(entry, "round", 0) == at else write(entry)

        journal._write = dying  # type: ignore[method-assign, assignment]
    strategy = EncryptedAggregation(
        encryption=Encryption(clip=1.0, reveal=reveal, openers=3),
        seed=5,
        journal=journal,
        sampling=Sampling(fraction_train=0.8, fraction_evaluate=0.0),
    )
    app = encrypted_app(agreed(CLIENTS), policy=EncryptionPolicy(reveal=reveal))
    with Mortal(app, CLIENTS) as grid:
        grid.point, grid.at = point, at
        result = strategy.start(grid, record(MODEL), num_rounds=ROUNDS)
    return result, journal, strategy


if __name__ == "__main__":
    np.seterr(all="raise")
    play(Path(sys.argv[1]), Reveal(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
