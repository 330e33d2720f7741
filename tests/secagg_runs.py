"""Small federations whose clients mask their updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Result
from numpy.typing import NDArray

from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid
from parity_flwr.clients import SecAggMod, derived_signers, identify, parity_mods
from parity_flwr.core.secagg.quantise import Quantiser
from parity_flwr.core.wire import SECAGG_RECORD, SECAGG_STAGE
from parity_flwr.strategies import SecureAggregation
from trust_runs import MODEL, Arrays, nudge, record

SIGNERS = derived_signers(b"secagg tests")
Bend = Callable[[str, Message], Sequence[Message]]
"""What becomes of a reply: (stage, reply) -> replies."""
Twist = Callable[[str, int, Message], Message | None]
"""What a lying server sends: (stage, partition, message) -> message; None for nothing."""


def secagg_app(
    *,
    step: Callable[[int, int, NDArray[Any]], NDArray[Any]] = nudge,
    examples: Callable[[int], int] = lambda partition: 10,
    mod: SecAggMod | None = None,
    on_train: Callable[[int, int], None] = lambda partition, round_: None,
) -> ClientApp:
    """Return an app of functions with our mods around it."""
    masking = mod or SecAggMod(SIGNERS)
    app = ClientApp(mods=parity_mods(SIGNERS, inner=[masking], numpy_client=False))
    identify(app, signer=SIGNERS)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        round_ = int(str(message.content.config_records["config"]["server-round"]))
        on_train(partition, round_)
        sent = message.content.array_records["arrays"]
        arrays = record({n: step(partition, round_, a.numpy()) for n, a in sent.items()})
        told = MetricRecord({"num-examples": examples(partition), "train-loss": 1.0})
        return Message(RecordDict({"arrays": arrays, "metrics": told}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        told = MetricRecord({"num-examples": 5, "accuracy": 0.5})
        return Message(RecordDict({"metrics": told}), reply_to=message)

    return app


class Staged(InProcessGrid):
    """A grid that knows the stages: it can drop, bend and twist.

    ``bends`` maps a partition to what becomes of its replies; ``twist`` changes what the
    server sends. ``seen`` keeps (stage, partition, reply).
    """

    def __init__(
        self,
        app: ClientApp,
        clients: int,
        *,
        bends: Mapping[int, Bend] | None = None,
        twist: Twist | None = None,
    ) -> None:
        self.errors: list[str] = []
        super().__init__(
            app, clients, on_client_error=lambda k, error: self.errors.append(f"{k}: {error}")
        )
        self._bends = bends or {}
        self._twist = twist
        self.seen: list[tuple[str, int, Message]] = []

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        replies: list[Message] = []
        for message in list(messages):
            stage, partition = stage_of(message), message.metadata.dst_node_id - FIRST_NODE_ID
            sent = self._twist(stage, partition, message) if self._twist else message
            if sent is None:
                continue
            for reply in super().send_and_receive([sent], timeout=timeout):
                self.seen.append((stage, partition, reply))
                bend = self._bends.get(partition)
                replies += [reply] if bend is None else bend(stage, reply)
        return replies

    def refusals(self) -> list[tuple[str, int]]:
        """Return who answered with an error, by stage."""
        return [(stage, k) for stage, k, reply in self.seen if reply.has_error()]


def stage_of(message: Message) -> str:
    stage = message.content.config_records.get(SECAGG_RECORD, ConfigRecord()).get(SECAGG_STAGE)
    return str(stage) if stage else message.metadata.message_type


def drops(stage: str) -> Bend:
    """Return a client that is gone from that stage on."""
    gone = []

    def bend(at: str, reply: Message) -> Sequence[Message]:
        if at == stage:
            gone.append(at)
        return [] if gone else [reply]

    return bend


def run(
    strategy: SecureAggregation,
    *,
    app: ClientApp | None = None,
    clients: int = 10,
    rounds: int = 1,
    model: Arrays = MODEL,
    bends: Mapping[int, Bend] | None = None,
    twist: Twist | None = None,
) -> tuple[Result, Staged]:
    """Run a strategy over clients that mask."""
    with Staged(app or secagg_app(), clients, bends=bends, twist=twist) as grid:
        result = strategy.start(grid, record(model), num_rounds=rounds, timeout=60)
    return result, grid


def plain_round(
    model: Arrays,
    members: Iterable[int],
    *,
    addends: int,
    round_: int = 1,
    weights: Callable[[int], float] = lambda partition: 1.0,
) -> dict[str, NDArray[Any]]:
    """Return what the members' quantised updates make of a model: the plain twin."""
    fixed = Quantiser(clipping_range=8.0, addends=addends)
    members = list(members)
    levels = sum(round(weights(k) * fixed.levels) for k in members)
    moved = {}
    for name, array in model.items():
        total = np.zeros(array.shape, np.int64)
        for k in members:
            update = nudge(k, round_, array).astype(np.float64) - array
            total += np.rint(weights(k) * update * (fixed.levels / 8.0)).astype(np.int64)
        step = (total * (8.0 / fixed.levels)) / (levels / fixed.levels)
        moved[name] = np.asarray(array + step, array.dtype)
    return moved
