"""Replies as Flower delivers them, and the same numbers as rows and as a matrix."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from parity_flwr.core.rows import BufferRows, Rows
from parity_flwr.strategies.arrays import read_arrays
from parity_flwr.strategies.facts import update_rows

_STEP = np.float32(0.01)  # an update next to the model's numbers of about 1
_LAYERS = 8


@dataclass(frozen=True)
class Workload:
    """n replies to a model of d parameters in eight float32 arrays.

    Every fifth client is a liar who pushes away from the others.
    """

    n: int
    d: int

    @property
    def byzantine(self) -> int:
        """The f that rules are told: a fifth of the clients."""
        return self.n // 5

    @cached_property
    def base(self) -> dict[str, NDArray[np.float32]]:
        """The model that was sent."""
        return self._split(_random(0, self.d))

    @cached_property
    def replies(self) -> list[Message]:
        """One reply per client."""
        return [self._reply(client) for client in range(self.n)]

    def fresh(self) -> list[Message]:
        """Return the replies in containers of their own: some strategies empty them."""
        return [_twin(reply) for reply in self.replies]

    @cached_property
    def updates(self) -> Rows:
        """The updates w_k - w over the replies' own memory."""
        return update_rows(self.models, self.base)

    @cached_property
    def rows(self) -> BufferRows:
        """The models w_k over the replies' own memory."""
        return BufferRows([list(model.values()) for model in self.models])

    @cached_property
    def models(self) -> list[dict[str, NDArray[np.float32]]]:
        """The arrays of each reply, views of its bytes."""
        return [read_arrays(reply.content["arrays"]) for reply in self.replies]  # type: ignore[arg-type]

    def matrix(self) -> NDArray[np.float32]:
        """Return the models as a matrix of their own, for libraries that need one."""
        return self.rows.block(0, self.d)

    def _reply(self, client: int) -> Message:
        flat = np.concatenate([array.ravel() for array in self.base.values()])
        flat += _STEP * _random(client + 1, self.d) + _STEP * (-1 if client % 5 == 4 else 1)
        arrays = {name: Array(array) for name, array in self._split(flat).items()}
        question = Message(RecordDict(), dst_node_id=client + 2, message_type="train")
        metrics = MetricRecord({"num-examples": 100 + client})
        content = RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics})
        return Message(content, reply_to=question)

    def _split(self, flat: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return {f"layer.{k}": part for k, part in enumerate(np.array_split(flat, _LAYERS))}


def _random(seed: int, size: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(size, dtype=np.float32)


def _twin(reply: Message) -> Message:
    twin = copy.copy(reply)
    arrays = reply.content.array_records["arrays"]
    metrics = reply.content.metric_records["metrics"]
    twin.content = RecordDict({"arrays": ArrayRecord(dict(arrays)), "metrics": metrics})
    return twin
