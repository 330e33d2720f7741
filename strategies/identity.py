"""Who a node is: reputation belongs to a stable identity, not to the node id of the day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from logging import WARNING
from typing import Protocol

from flwr.app import Message, MessageType, RecordDict
from flwr.common import log
from flwr.serverapp import Grid

from parity_flwr.core.protocols import ClientStateStore
from parity_flwr.core.wire import IDENTITY_ACTION, PARITY_RECORD, PARTITION_ID

IDENTITY_QUERY = f"{MessageType.QUERY}.{IDENTITY_ACTION}"

CLAIMED = "client-"
"""Prefix of identities that rest on a reported partition."""

_MAX_PARTITION = 2**31


class IdentitySource(Protocol):
    """How node ids become identities (an extension point)."""

    def identify(self, grid: Grid, node_ids: Sequence[int]) -> Mapping[int, str]:
        """Return the claimed identity of each node, by node id."""
        ...


@dataclass(frozen=True)
class NodeKeyIdentity:
    """The fingerprint of the node's registered key, as ``grid.get_nodes()`` shows it.

    A node without a PEM key is known by its node id; one without a registered name
    probably makes a new key at every start. Both give a warning.
    """

    def identify(self, grid: Grid, node_ids: Sequence[int]) -> Mapping[int, str]:
        """Return ``key:<fingerprint>`` or ``node:<id>`` for each node."""
        infos = {info.node_id: info for info in grid.get_nodes()}
        claimed = {}
        for node_id in node_ids:
            info = infos.get(node_id)
            key = info.public_key if info is not None else b""
            claimed[node_id] = _key_identity(key) or f"node:{node_id}"
            if info is None or not info.name or not key.startswith(b"-----BEGIN"):
                _warn_unregistered(node_id)
        return claimed


def _key_identity(key: bytes) -> str | None:
    if not key.startswith(b"-----BEGIN"):
        return None
    return f"key:{hashlib.sha256(key.strip()).hexdigest()[:16]}"


def _warn_unregistered(node_id: int) -> None:
    log(
        WARNING,
        "Node %s has no registered key: its reputation is lost when it restarts. "
        "Register it: flwr supernode register KEY.pub --name NAME",
        node_id,
    )


@dataclass(frozen=True)
class PartitionIdentity:
    """The ``partition-id`` that a client reports. For in-process and simulation runs only.

    Anywhere else a liar could name an honest client and burn its name. A client that does
    not answer the query is known by its node id.
    """

    timeout_s: float = 60.0

    def identify(self, grid: Grid, node_ids: Sequence[int]) -> Mapping[int, str]:
        """Ask each node for its partition and return ``client-<partition>``."""
        questions = [
            Message(content=RecordDict(), message_type=IDENTITY_QUERY, dst_node_id=node_id)
            for node_id in node_ids
        ]
        claimed = {node_id: f"node:{node_id}" for node_id in node_ids}
        for answer in grid.send_and_receive(questions, timeout=self.timeout_s):
            partition = None if answer.has_error() else reported_partition(answer.content)
            if answer.metadata.src_node_id in claimed and partition is not None:
                claimed[answer.metadata.src_node_id] = f"{CLAIMED}{partition}"
        return claimed


def reported_partition(content: RecordDict) -> int | None:
    """Return the partition that a message reports, None unless it is a plausible integer."""
    record = content.config_records.get(PARITY_RECORD)
    value = record.get(PARTITION_ID) if record is not None else None
    return value if type(value) is int and 0 <= value < _MAX_PARTITION else None


def default_identity_source(grid: Grid) -> IdentitySource:
    """Return the source that fits the grid: reported partitions only where all are ours."""
    from flwr.superlink.grid import InMemoryGrid

    if isinstance(grid, InMemoryGrid | ClientStateStore):
        return PartitionIdentity()
    return NodeKeyIdentity()


@dataclass
class Roster:
    """Which node speaks for which identity. The first to claim an identity keeps it."""

    source: IdentitySource | None = None
    names: dict[int, str] = field(default_factory=dict)  # identity by node id
    conflicts: dict[int, str] = field(default_factory=dict)  # the identity wrongly claimed
    _owners: dict[str, int] = field(default_factory=dict)

    def update(self, grid: Grid, node_ids: Iterable[int]) -> None:
        """Learn the identity of every node not seen before, in order of node id."""
        unknown = sorted(set(node_ids) - set(self.names))
        if not unknown:
            return
        self.source = self.source or default_identity_source(grid)
        claimed = self.source.identify(grid, unknown)
        for node_id in unknown:
            self._admit(node_id, claimed.get(node_id) or f"node:{node_id}", set(node_ids))

    def _admit(self, node_id: int, identity: str, connected: set[int]) -> None:
        owner = self._owners.setdefault(identity, node_id)
        if owner != node_id and owner in connected:
            self.conflicts[node_id] = identity
            identity = f"node:{node_id}"
        self._owners[identity] = node_id
        self.names[node_id] = identity

    @property
    def reports_partitions(self) -> bool:
        """Whether identities are what the clients report about themselves."""
        return isinstance(self.source, PartitionIdentity)

    def connected(self, node_ids: Iterable[int]) -> dict[str, int]:
        """Return the node that speaks for each connected identity, sorted by identity.

        A node whose identity passed to another while it was away is left out.
        """
        named = [(self.names[node_id], node_id) for node_id in node_ids]
        return dict(sorted(pair for pair in named if self._owners[pair[0]] == pair[1]))
