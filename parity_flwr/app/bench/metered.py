"""Both sides of a round of secure aggregation, timed and weighed for us and for Flower."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable
from flwr.common.serde import recorddict_to_proto

from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid


@dataclass
class Stopwatch:
    """A mod that adds up the CPU seconds of everything inside it, all clients together."""

    cpu_s: float = 0.0

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Pass on, and count."""
        started = time.process_time()
        try:
            return call_next(message, context)
        finally:
            self.cpu_s += time.process_time() - started


class MeteredGrid(InProcessGrid):
    """Passes on to another grid; counts the CPU seconds in it, and one client's bytes.

    Bytes are those of the records as Flower packs them for the wire: all that the first
    client sends, and all that it is sent besides models.
    """

    def __init__(self, grid: InProcessGrid) -> None:
        super().__init__(ClientApp(), 1)
        self._grid = grid
        self.inside_s = 0.0
        self.up_bytes = 0
        self.down_bytes = 0

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Deliver and wait."""
        written = list(messages)  # writing them is the server's work
        started = time.process_time()
        replies = self._grid.send_and_receive(written, timeout=timeout)
        for each in written:
            if each.metadata.dst_node_id == FIRST_NODE_ID:
                self.down_bytes += _packed_size(each.content, models=False)
        for each in replies:
            if each.metadata.src_node_id == FIRST_NODE_ID:
                self.up_bytes += _packed_size(each.content, models=True)
        self.inside_s += time.process_time() - started
        return replies


class RoundMeter:
    """What one round of secure aggregation costs both sides, whoever's it is.

    ``client_s`` and ``server_s`` are CPU seconds: all clients' inside their mod, and the
    server's outside of the grid. ``up_bytes`` and ``down_bytes`` are what one client sends,
    and what it is sent besides the model.
    """

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.server_s = 0.0
        self.up_bytes = 0
        self.down_bytes = 0

    @property
    def client_s(self) -> float:
        """CPU seconds of all clients."""
        return self.watch.cpu_s

    @contextmanager
    def over(self, grid: InProcessGrid) -> Iterator[MeteredGrid]:
        """Count what the server does, and all that passes through the grid that it gets."""
        metered = MeteredGrid(grid)
        started = time.process_time()
        yield metered
        self.server_s = time.process_time() - started - metered.inside_s
        self.up_bytes, self.down_bytes = metered.up_bytes, metered.down_bytes


def _packed_size(content: RecordDict, *, models: bool) -> int:
    left_out = () if models else content.array_records
    records = {name: each for name, each in content.items() if name not in left_out}
    return len(recorddict_to_proto(RecordDict(records)).SerializeToString())
