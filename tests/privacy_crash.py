"""A private run that kills itself with SIGKILL: ``privacy_crash.py FOLDER POINT ROUND``.

What leaves the server is written to ``released``: the model that clients get or that is
evaluated, with the round that made it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord

from parity_flwr.app.conformance import honest_app
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.strategies import DPFedAvg

CLIENTS, ROUNDS = 4, 3
PRIVACY = CentralPrivacy(epsilon=4.0, delta=1e-3, clip=1.0, clients=CLIENTS, rounds=ROUNDS)
POINTS = (
    "before the charge",
    "inside the charge",
    "after the charge",
    "after the noise",
    "between checkpoint and row",
    "after the commit",
)
HERE = Path(__file__).parent


def die() -> NoReturn:
    """End this process as the kernel's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class Mortal(DPFedAvg):
    """A strategy that dies at a named point of one round's release."""

    point, at = "", 0

    def _strikes(self, point: str, round_: int) -> bool:
        return (point, round_) == (self.point, self.at)

    def _charge(self, round: int) -> None:
        journal = self.book.journal
        assert isinstance(journal, SqlJournal)
        if self._strikes("before the charge", round):
            die()
        if self._strikes("inside the charge", round):
            journal._settle = lambda *arguments: die()  # type: ignore[method-assign]
        super()._charge(round)
        if self._strikes("after the charge", round):
            die()
        if self._strikes("between checkpoint and row", round):
            journal._write = lambda record: die()  # type: ignore[method-assign]

    def _release(self, exchange: Any, models: Any) -> Any:
        released = super()._release(exchange, models)
        if self._strikes("after the noise", exchange.round):
            die()
        return released

    def _commit(self, exchange: Any, outcome: Any, clip: float) -> None:
        super()._commit(exchange, outcome, clip)
        if self._strikes("after the commit", exchange.round):
            die()


def journal_of(folder: Path) -> SqlJournal:
    run = RunFolder(folder).make()
    return SqlJournal(run.journal_url, "run", run)


def play(folder: Path, point: str = "", at: int = 0) -> Mortal:
    """Start the run in that folder, or continue it."""
    strategy = Mortal(PRIVACY, journal=journal_of(folder))
    strategy.point, strategy.at = point, at

    def evaluate(round_: int, arrays: ArrayRecord) -> MetricRecord:
        named = model_hash({name: each.numpy() for name, each in arrays.items()})
        with (folder / "released").open("a") as file:
            file.write(f"{round_} {named}\n")
            file.flush()
            os.fsync(file.fileno())
        return MetricRecord({})

    model = ArrayRecord({"w": Array(np.zeros(8, np.float32)), "n": Array(np.array(1))})
    with InProcessGrid(honest_app(), CLIENTS) as grid:
        strategy.start(grid, model, num_rounds=ROUNDS, evaluate_fn=evaluate)
    return strategy


def kill(folder: Path, point: str, at: int) -> None:
    """Run in a process of its own that dies there."""
    command = [sys.executable, str(HERE / "privacy_crash.py"), str(folder), point, str(at)]
    ended = subprocess.run(command, env=os.environ, cwd=HERE, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]


def released(folder: Path) -> dict[int, set[str]]:
    """Return the different models that left the server, by the round that made them."""
    seen: dict[int, set[str]] = defaultdict(set)
    for line in (folder / "released").read_text().splitlines():
        round_, named = line.split()
        seen[int(round_)].add(named)
    return seen


def survive(folder: Path, point: str, at: int) -> None:
    """Kill one release, look at the ledger, continue, and look again."""
    kill(folder, point, at)
    charged = [each.round for each in journal_of(folder).charges()]
    before = point in ("before the charge", "inside the charge")
    assert charged == list(range(1, at if before else at + 1)), (point, at, charged)
    strategy = play(folder)
    charges = journal_of(folder).charges()
    assert [each.round for each in charges] == list(range(1, ROUNDS + 1)), (point, at)
    assert charges == strategy.ledger.charges
    assert 0.99 * PRIVACY.epsilon < strategy.ledger.spent() <= PRIVACY.epsilon
    models = released(folder)
    assert all(len(models[round_]) == 1 for round_ in range(ROUNDS + 1)), (point, at, models)
    assert verify(RunFolder(folder)).ok


if __name__ == "__main__":
    play(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
