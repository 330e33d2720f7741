"""One question to the selected nodes and what belongs to it until the replies are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from parity_flwr.core.config import ReputationConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Action, ReputationState
from parity_flwr.core.reputation import standing_of
from parity_flwr.core.wire import ROUND, RUN
from parity_flwr.strategies.arrays import read_arrays
from parity_flwr.strategies.gate import Arrays, Gate
from parity_flwr.strategies.identity import Roster
from parity_flwr.strategies.inner import PinnedGrid
from parity_flwr.strategies.intake import Answer, Asked, Intake


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The messages of one phase of one round, and the model that went out with them."""

    round: int
    grid: Grid
    record: ArrayRecord
    base: Arrays
    base_hash: str
    identities: Mapping[int, str]  # by node id, of the nodes that were asked
    messages: Sequence[Message]
    actions: tuple[Action, ...] = ()

    def collect(
        self,
        replies: Iterable[Message],
        *,
        gate: Gate,
        roster: Roster,
        state: ReputationState,
        run_id: str,
    ) -> list[Answer]:
        """Return what became of each node that was asked, sorted by identity."""
        intake = Intake(
            gate=gate,
            run_id=run_id,
            round=self.round,
            base_hash=self.base_hash,
            trust_partitions=roster.reports_partitions,
        )
        asked = [self._asked(message, roster, state) for message in self.messages]
        return intake.collect(asked, replies)

    def _asked(self, message: Message, roster: Roster, state: ReputationState) -> Asked:
        node_id = message.metadata.dst_node_id
        identity = self.identities[node_id]
        return Asked(
            node_id=node_id,
            identity=identity,
            conflict=roster.conflicts.get(node_id, ""),
            standing=standing_of(state, identity, ReputationConfig()),
            message_id=message.metadata.message_id,
            sent_at=message.metadata.created_at,
        )


def name_round(config: ConfigRecord, round: int, run_id: str) -> ConfigRecord:
    """Return a copy of the caller's config that says which run and round this is."""
    return ConfigRecord({**config, RUN: run_id, ROUND: round})


def ask(
    inner: Strategy,
    grid: Grid,
    *,
    round: int,
    arrays: ArrayRecord,
    config: ConfigRecord,
    nodes: Mapping[str, int],
    actions: tuple[Action, ...] = (),
    train: bool = True,
) -> Exchange:
    """Let the inner strategy write the messages for the given nodes (identity to node id).

    The inner strategy may ask fewer of them, never others. Messages come sorted by identity,
    as a list: Flower's HTTP grid reads them twice. It gets a record of its own with the same
    arrays in it, because some strategies (QFedAvg) take the record apart.
    """
    identities = {node_id: identity for identity, node_id in nodes.items()}
    configure = inner.configure_train if train else inner.configure_evaluate
    record = ArrayRecord(dict(arrays))
    written = configure(round, record, config, PinnedGrid(grid, sorted(identities)))
    messages = [each for each in written if each.metadata.dst_node_id in identities]
    messages.sort(key=lambda message: identities[message.metadata.dst_node_id])
    base = read_arrays(arrays)
    return Exchange(
        round=round,
        grid=grid,
        record=arrays,
        base=base,
        base_hash=model_hash(base) if train else "",
        identities=identities,
        messages=messages,
        actions=actions,
    )
