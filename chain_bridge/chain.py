"""What the bridge needs of a chain, embedded or behind JSON-RPC: ten small methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from parity_flwr.core.anchoring import ChainLog

Height = int | Literal["latest", "finalized"]
"""A block's number, or the newest block, or the newest one that is final."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A question to a contract, or a transaction that is only tried."""

    to: str | None
    data: bytes = b""
    sender: str | None = None
    value: int = 0  # wei


@dataclass(frozen=True, kw_only=True)
class Fees:
    """What a transaction offers, in wei per gas (EIP-1559)."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block's header, and the transactions in it by hash."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int  # seconds since 1970, as the chain says
    base_fee: int  # wei per gas
    transactions: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What came of a transaction that is in a block."""

    tx_hash: bytes
    succeeded: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    created: str | None = None  # address of the contract that it created
    logs: tuple[ChainLog, ...] = ()


class Chain(Protocol):
    """A chain that the bridge can read and send to; safe to share between threads.

    All methods raise :class:`parity_flwr.errors.NodeError` where the node does not answer
    soundly; what else they raise stands with them.
    """

    @property
    def chain_id(self) -> int:
        """The number that signatures bind (EIP-155)."""
        ...

    def nonce(self, address: str, *, at: Height | Literal["pending"] = "latest") -> int:
        """Return how many transactions the account has sent."""
        ...

    def balance(self, address: str) -> int:
        """Return the account's wei."""
        ...

    def send_raw(self, raw: bytes) -> bytes:
        """Hand over a signed transaction; return its hash.

        Raises
        ------
        RefusedError
            The node did not take it; ``refusal`` says why.
        """
        ...

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return what came of a transaction, None while it is in no block."""
        ...

    def block(self, at: Height) -> Block | None:
        """Return a block of the chain as it is now, None above its head."""
        ...

    def logs(
        self,
        addresses: Sequence[str],
        *,
        first: int = 0,
        last: int = 0,
        block_hash: bytes | None = None,
    ) -> tuple[ChainLog, ...]:
        """Return the events of these contracts from block ``first`` to ``last``, in order.

        With ``block_hash``: those of this one block, which cannot change in between.
        """
        ...

    def call(self, call: Call, *, at: Height = "latest") -> bytes:
        """Return what a contract answers.

        Raises
        ------
        RevertError
            The contract refuses.
        """
        ...

    def estimate(self, call: Call) -> int:
        """Return how much gas a transaction needs now.

        Raises
        ------
        RevertError
            It would revert.
        """
        ...

    def fees(self) -> Fees:
        """Return what a transaction should offer to be mined within a few blocks."""
        ...
