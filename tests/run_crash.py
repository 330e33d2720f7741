"""A run that kills itself with SIGKILL: ``run_crash.py FOLDER INNER POINT ROUND``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAdam, FedAvg, FedAvgM, Result, Strategy

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.strategies import Reputation, Sampling

CLIENTS, ROUNDS = 6, 4
POINTS = (
    "in configure_train",
    "while clients train",
    "in aggregate_train",
    "between checkpoint and row",
    "before evaluation",
    "after evaluation",
)
INNERS: dict[str, Callable[[], Strategy]] = {
    "FedAvg": FedAvg,
    "FedAdam": FedAdam,
    "FedAvgM": lambda: FedAvgM(server_momentum=0.9),
}
MODEL = {
    "layer.weight": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "bias": np.array(0.5),
    "batches": np.array(0, np.int64),
}


def never() -> None:
    """Go on living."""


def die() -> NoReturn:
    """End this process as the kernel's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def counting_app(on_train: Callable[[int], None]) -> ClientApp:
    """Return clients whose training depends on how often each trained and evaluated."""
    app = ClientApp()

    def count(context: Context, name: str) -> int:
        counts = context.state.setdefault("counts", MetricRecord({"train": 0, "evaluate": 0}))
        assert isinstance(counts, MetricRecord)
        counts[name] = int(str(counts[name])) + 1
        return int(str(counts["train"])) + 100 * int(str(counts["evaluate"]))

    @app.train()
    def train(message: Message, context: Context) -> Message:
        config = message.content.config_records["config"]
        on_train(int(str(config["server-round"])))
        partition = int(context.node_config["partition-id"])
        rng = np.random.default_rng([partition, count(context, "train")])
        arrays = {}
        for name, array in message.content.array_records["arrays"].items():
            sent = array.numpy()
            moved = sent + 0.1 + 0.01 * rng.standard_normal(sent.shape)
            counted = sent + 1
            arrays[name] = Array(
                np.asarray(moved if sent.dtype.kind == "f" else counted, sent.dtype)
            )
        told = MetricRecord({"num-examples": 10 + partition, "train-loss": 1.0})
        content = RecordDict({"arrays": ArrayRecord(arrays), "metrics": told})
        return Message(content, reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        seen = count(context, "evaluate")
        told = MetricRecord({"num-examples": 5, "seen": float(seen)})
        return Message(RecordDict({"metrics": told}), reply_to=message)

    @app.query("parity_identity")
    def identify(message: Message, context: Context) -> Message:
        claim = ConfigRecord({"partition-id": int(context.node_config["partition-id"])})
        return Message(RecordDict({"parity": claim}), reply_to=message)

    return app


class Mortal(Reputation):
    """A strategy that dies at a named point of one round."""

    def __init__(self, inner: Strategy, *, point: str, at: int, **options: Any) -> None:
        super().__init__(inner, **options)
        self.point, self.at = point, at

    def maybe(self, point: str, round_: int) -> None:
        if (point, round_) == (self.point, self.at):
            die()

    def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
        messages = super().configure_train(server_round, arrays, config, grid)
        self.maybe("in configure_train", server_round + self.offset)
        return messages

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        journal = self.book.journal
        assert isinstance(journal, SqlJournal)
        if (self.point, self.at) == ("in aggregate_train", server_round + self.offset):
            journal.commit = lambda *args, **options: die()  # type: ignore[method-assign]
        if (self.point, self.at) == ("between checkpoint and row", server_round + self.offset):
            journal._write = lambda record: die()  # type: ignore[method-assign]
        return super().aggregate_train(server_round, replies)

    def configure_evaluate(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
        self.maybe("before evaluation", server_round + self.offset)
        return super().configure_evaluate(server_round, arrays, config, grid)

    def aggregate_evaluate(self, server_round: int, replies: Any) -> Any:
        metrics = super().aggregate_evaluate(server_round, replies)
        self.maybe("after evaluation", server_round + self.offset)
        return metrics


def play(folder: Path, inner: str, point: str = "", at: int = 0) -> tuple[Result, SqlJournal]:
    """Start the run in that folder, or continue it."""
    run = RunFolder(folder).make()
    journal = SqlJournal(run.journal_url, "run", run)
    strategy = Mortal(
        INNERS[inner](),
        point=point,
        at=at,
        seed=5,
        journal=journal,
        sampling=Sampling(fraction_train=0.7, fraction_evaluate=0.5),
    )
    trained = iter(range(10_000))

    def on_train(round_: int) -> None:
        if (point, at) == ("while clients train", round_) and next(trained) == 2:
            die()

    def evaluate(round_: int, arrays: ArrayRecord) -> MetricRecord:
        return MetricRecord({"bias": float(arrays["bias"].numpy())})

    model = ArrayRecord({name: Array(np.asarray(value)) for name, value in MODEL.items()})
    with InProcessGrid(counting_app(on_train), CLIENTS) as grid:
        result = strategy.start(grid, model, num_rounds=ROUNDS, evaluate_fn=evaluate)
    return result, journal


if __name__ == "__main__":
    play(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
