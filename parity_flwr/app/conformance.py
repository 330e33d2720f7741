"""What any strategy must survive, as a suite that others can run on theirs.

Each misbehaviour turns one client's honest reply into something else. A strategy conforms
if the run goes on and its model is bit-equal to that of the run without that client.

Examples
--------
>>> from flwr.serverapp.strategy import FedAvg
>>> from parity_flwr.strategies import Reputation
>>> def make():
...     return Reputation(FedAvg(fraction_evaluate=0.0), seed=1, journal=None)
>>> without = play(make, spoil=None)
>>> same_model(play(make, spoil=MISBEHAVIOURS["not a number"]), without)
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from flwr.serverapp.strategy import Result, Strategy
from numpy.typing import NDArray

from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid
from parity_flwr.app.misbehaviour import MISBEHAVIOURS, Spoil

Model = Mapping[str, NDArray[Any]]

__all__ = ["MISBEHAVIOURS", "MODELS", "Play", "honest_app", "play", "same_model"]

CLIENTS = 6
OFFENDER = 3  # in the middle, so that order cannot hide it

NEURAL_NETWORK: Model = {
    "layer.weight": np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6),
    "layer.bias": np.zeros(4, np.float32),
    "norm.num_batches_tracked": np.array(3, np.int64),
}
LINEAR_REGRESSION: Model = {"coef": np.linspace(0, 1, 7), "intercept": np.array(0.5)}
RANDOM_FOREST: Model = {
    "thresholds": np.linspace(0, 3, 12).reshape(3, 4),
    "values": np.ones((3, 5), np.float64),
}
MODELS = {
    "neural network": NEURAL_NETWORK,
    "linear regression": LINEAR_REGRESSION,
    "random forest": RANDOM_FOREST,
}
"""Arrays of the three kinds of model, small enough to read."""


class SpoilingGrid(InProcessGrid):
    """A grid on which one client's training reply is spoiled, or that client is not there."""

    def __init__(self, client_app: ClientApp, spoil: Spoil | None) -> None:
        super().__init__(client_app, CLIENTS)
        self._spoil = spoil
        self._offender = FIRST_NODE_ID + OFFENDER

    def get_node_ids(self) -> list[int]:
        """Return the nodes, without the offender if nothing is to be spoiled."""
        nodes = super().get_node_ids()
        return nodes if self._spoil else [node for node in nodes if node != self._offender]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Deliver, then spoil the offender's training reply."""
        replies = super().send_and_receive(messages, timeout=timeout)
        return [each for reply in replies for each in self._spoiled(reply)]

    def _spoiled(self, reply: Message) -> Sequence[Message]:
        offends = reply.metadata.src_node_id == self._offender
        if not offends or self._spoil is None or reply.has_error():
            return [reply]
        return self._spoil(reply) if reply.content.array_records else [reply]


def honest_app() -> ClientApp:
    """Return a ClientApp that moves every array a little, by partition and round."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        round_ = int(str(message.content.config_records["config"]["server-round"]))
        rng = np.random.default_rng([partition, round_])
        sent = message.content.array_records["arrays"]
        arrays = ArrayRecord({name: _moved(array.numpy(), rng) for name, array in sent.items()})
        metrics = MetricRecord({"num-examples": 10 + partition, "train-loss": 1.0})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"num-examples": 5, "accuracy": 0.5})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    @app.query("parity_identity")
    def identify(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        record = ConfigRecord({"partition-id": partition})
        return Message(RecordDict({"parity": record}), reply_to=message)

    return app


def _moved(array: NDArray[Any], rng: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return Array(np.asarray(array + 1))
    step = 0.1 + 0.01 * rng.standard_normal(array.shape)
    return Array(np.asarray(array + step, array.dtype))


@dataclass(frozen=True)
class Play:
    """What a run under a misbehaviour ended with."""

    result: Result
    strategy: Strategy


def play(
    make_strategy: Callable[[], Strategy],
    *,
    spoil: Spoil | None,
    model: Model = NEURAL_NETWORK,
    rounds: int = 2,
) -> Play:
    """Run a new strategy over six clients of which one is spoiled; None leaves it out."""
    strategy = make_strategy()
    arrays = ArrayRecord({name: Array(np.asarray(value)) for name, value in model.items()})
    with SpoilingGrid(honest_app(), spoil) as grid:
        return Play(strategy.start(grid, arrays, num_rounds=rounds, timeout=30), strategy)


def same_model(one: Play, other: Play) -> bool:
    """Return whether both runs ended with the same bits."""
    first, second = one.result.arrays, other.result.arrays
    return list(first) == list(second) and all(
        first[name].data == second[name].data and first[name].dtype == second[name].dtype
        for name in first
    )
