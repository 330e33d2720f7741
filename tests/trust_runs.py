"""Small federations for the tests of strategies: clients that do what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
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
from parity_flwr.core.config import (
    ReputationConfig,
    RobustnessConfig,
    TrustConfig,
    WeightConfig,
)
from parity_flwr.core.records import (
    Action,
    Checkpoint,
    EvaluationRecord,
    ReplyFacts,
    ReputationState,
    Resumption,
    RoundRecord,
    RunHeader,
    Standing,
)
from parity_flwr.core.reputation import newcomer

Arrays = Mapping[str, NDArray[Any]]
Step = Callable[[int, int, NDArray[Any]], NDArray[Any]]
"""What a client makes of one array: (partition, round, array) -> array."""
Spoil = Callable[[Message], Sequence[Message]]

MODEL: Arrays = {
    "b.weight": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
    "a.bias": np.zeros(3, np.float32),  # not in alphabetical order on purpose
}
EQUAL = TrustConfig(
    robustness=RobustnessConfig(min_replies=1000, sketch_size=0),
    reputation=ReputationConfig(probation_rounds=0),
    weights=WeightConfig(slope=0.0, max_share=1.0, examples_factor=1e9),
)
"""Nobody is penalised, capped or on probation: weights go by n_k alone."""


def record(arrays: Arrays) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(value)) for name, value in arrays.items()})


def numbers(arrays: ArrayRecord) -> dict[str, NDArray[Any]]:
    return {name: array.numpy() for name, array in arrays.items()}


def bits(arrays: ArrayRecord) -> list[tuple[str, str, bytes]]:
    return [(name, array.dtype, array.data) for name, array in arrays.items()]


def nudge(partition: int, round_: int, array: NDArray[Any]) -> NDArray[Any]:
    """Move every number towards 1, a little differently by partition and round."""
    rng = np.random.default_rng([partition, round_])
    moved = array + 0.1 + 0.01 * rng.standard_normal(array.shape)
    return np.asarray(moved, array.dtype)


def client_app(
    step: Step = nudge,
    *,
    examples: Callable[[int], int] = lambda partition: 10,
    metrics: Mapping[str, float] | None = None,
) -> ClientApp:
    """Return an app whose clients answer the identity query, train and evaluate."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        config = message.content.config_records["config"]
        round_ = int(str(config["server-round"]))
        sent = message.content.array_records["arrays"]
        arrays = record(
            {name: step(partition, round_, array.numpy()) for name, array in sent.items()}
        )
        told = {"num-examples": examples(partition), **(metrics or {"train-loss": 1.0})}
        content = RecordDict({"arrays": arrays, "metrics": MetricRecord({**told})})
        return Message(content, reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        told = MetricRecord({"num-examples": 5, "accuracy": 0.5})
        return Message(RecordDict({"metrics": told}), reply_to=message)

    @app.query("parity_identity")
    def identify(message: Message, context: Context) -> Message:
        claim = ConfigRecord({"partition-id": int(context.node_config["partition-id"])})
        return Message(RecordDict({"parity": claim}), reply_to=message)

    return app


class Watched(InProcessGrid):
    """A grid that keeps what was sent and may spoil what comes back.

    ``spoil`` maps a partition to what becomes of its replies in the phase ``spoils``.
    """

    def __init__(
        self,
        app: ClientApp,
        clients: int,
        *,
        spoil: Mapping[int, Spoil] | None = None,
        spoils: str = "train",
        order: Callable[[list[Message]], list[Message]] = list,
    ) -> None:
        super().__init__(app, clients)
        self._spoils = spoils
        self.sent: list[Message] = []
        self._spoil = {FIRST_NODE_ID + k: each for k, each in (spoil or {}).items()}
        self._order = order

    def messages(self, kind: str) -> list[Message]:
        return [each for each in self.sent if each.metadata.message_type == kind]

    def asked(self, kind: str) -> list[int]:
        return [m.metadata.dst_node_id - FIRST_NODE_ID for m in self.messages(kind)]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        sent = list(messages)
        self.sent += sent
        replies = super().send_and_receive(sent, timeout=timeout)
        return self._order([out for reply in replies for out in self._pass(reply)])

    def _pass(self, reply: Message) -> Sequence[Message]:
        spoil = self._spoil.get(reply.metadata.src_node_id)
        other = reply.metadata.message_type != self._spoils or reply.has_error()
        return [reply] if other or spoil is None else spoil(reply)


def run(
    strategy: Strategy,
    *,
    app: ClientApp | None = None,
    clients: int = 5,
    rounds: int = 2,
    model: Arrays = MODEL,
    spoil: Mapping[int, Spoil] | None = None,
    spoils: str = "train",
    order: Callable[[list[Message]], list[Message]] = list,
    **options: Any,
) -> tuple[Result, Watched]:
    """Run the strategy; return its result and the grid with what was sent."""
    chosen = app or client_app()
    with Watched(chosen, clients, spoil=spoil, spoils=spoils, order=order) as grid:
        result = strategy.start(grid, record(model), num_rounds=rounds, timeout=30, **options)
        return result, grid


def state_of(**composites: float) -> ReputationState:
    """Return a state in which ``client_0=900.0`` has that score in every dimension."""
    fresh = newcomer(ReputationConfig())
    standings: dict[str, Standing] = {}
    for name, value in composites.items():
        scores = (value, value, value, value)
        standings[name.replace("_", "-")] = replace(
            fresh, scores=scores, composite=value, rounds=10
        )
    return ReputationState(standings=standings)


class ListJournal:
    """A journal in memory: what a strategy writes, in lists."""

    def __init__(
        self,
        *,
        carried: ReputationState | None = None,
        baseline: bool = False,
        actions: Sequence[Action] = (),
    ) -> None:
        self.run_id = "list"
        self.keep_updates = False
        self.carried = carried
        self.baseline = baseline
        self.pending = tuple(actions)
        self.headers: list[RunHeader] = []
        self.rounds: list[RoundRecord] = []
        self.checkpoints: list[Checkpoint] = []
        self.evaluations: list[EvaluationRecord] = []
        self.endings: list[tuple[str, str]] = []

    def begin(self, header: RunHeader) -> Resumption | None:
        self.headers.append(header)
        return None

    def actions(self) -> tuple[Action, ...]:
        return self.pending

    def commit(
        self,
        record: RoundRecord,
        checkpoint: Checkpoint,
        updates: Mapping[str, Arrays] | None = None,
        *,
        base: Arrays | None = None,
    ) -> None:
        self.rounds.append(record)
        self.checkpoints.append(checkpoint)
        applied = {each.sequence for each in record.facts.actions}
        self.pending = tuple(a for a in self.pending if a.sequence not in applied)

    def evaluate(self, record: EvaluationRecord) -> None:
        self.evaluations.append(record)

    def finish(self, status: str, reason: str = "", *, sketch_seed: bytes = b"") -> None:
        self.endings.append((status, reason))


def is_node(reply: Message, node: int) -> bool:
    return reply.metadata.src_node_id == node


def facts_of(journal: ListJournal, round_: int = 1) -> dict[str, ReplyFacts]:
    return {facts.identity: facts for facts in journal.rounds[round_ - 1].facts.replies}
