"""What the journal and the chain bridge say to each other: intents, attempts, blocks, logs.

Plain data without web3, so that a journal can keep what only the bridge understands.
Addresses are "0x" and 40 hex digits with the EIP-55 checksum; hashes are 32 bytes; amounts
and fees are integers in wei.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

REORG_WINDOW = 64
"""How many blocks may be replaced before the index refuses to go on."""


class OutboxState(StrEnum):
    """How far one transaction has come."""

    QUEUED = "queued"  # wanted; no nonce yet
    SIGNED = "signed"  # nonce, bytes and hash are on the disk; a node may or may not know it
    SENT = "sent"  # a node took it
    MINED = "mined"  # in a block that a reorganisation may still drop
    FINAL = "final"  # in a block with enough blocks above it
    FAILED = "failed"  # the chain ran it and it reverted; a person decides


SETTLED = frozenset({OutboxState.FINAL, OutboxState.FAILED})
"""States that nothing leaves any more."""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A transaction that somebody wants, before it has a nonce.

    ``key`` names the wish ("round/7"): one key is queued once, whoever asks again.
    """

    key: str
    to: str | None  # None creates a contract
    data: bytes = b""
    value: int = 0  # wei
    gas: int | None = None  # limit; None asks the node for an estimate
    round: int | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One signed form of a transaction; a replacement is a second one with the same nonce."""

    raw: bytes
    tx_hash: bytes
    max_fee: int  # wei per gas
    priority_fee: int  # wei per gas
    first_seen: int  # height of the chain when it was signed


@dataclass(frozen=True, kw_only=True)
class OutboxRow:
    """One transaction of the outbox with everything that was ever signed for it."""

    position: int  # 1, 2, 3, ... in the order of the queue
    intent: Intent
    state: OutboxState = OutboxState.QUEUED
    chain_id: int | None = None
    sender: str | None = None
    nonce: int | None = None
    attempts: tuple[Attempt, ...] = ()  # oldest first
    tx_hash: bytes | None = None  # the attempt that was mined
    block_number: int | None = None
    block_hash: bytes | None = None
    gas_used: int | None = None
    succeeded: bool | None = None
    created: str | None = None  # address of the contract that it created
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """Where a transaction was mined."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    succeeded: bool
    created: str | None = None


def mined_as(inclusion: Inclusion | None) -> Mapping[str, Any]:
    """Return the fields of an :class:`OutboxRow` that an inclusion sets, all None without."""
    names = [field.name for field in fields(Inclusion)]
    return {name: None if inclusion is None else getattr(inclusion, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class BlockId:
    """A block by height and hash; the height alone names different blocks over time."""

    number: int
    hash: bytes


@dataclass(frozen=True, kw_only=True)
class ChainLog:
    """An event of a contract as the chain holds it; (tx_hash, index) is its key."""

    address: str
    topics: tuple[bytes, ...]  # 32 bytes each
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    index: int  # within the block
