"""py-evm as a chain with one block for each transaction; imported only when it is used.

Receipts are looked up through the database's own index of transactions. eth-tester's
backend searches every block from the head instead, which is quadratic over a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parity_flwr.chain_bridge.recursion import kept_recursion_limit
from parity_flwr.errors import MissingExtraError

if TYPE_CHECKING:
    from eth.chains.base import MiningChain
    from eth.db.backends.memory import MemoryDB

CHAIN_ID = 131277322940537
"""The same as eth-tester's, so that its tools know this chain."""

GAS_LIMIT = 30_029_122
_FAUCET_WEI = 10**9 * 10**18


def faucet_key() -> bytes:
    """Return the private key that owns the embedded chain's coins; everybody knows it."""
    return hashlib.sha256(b"parity-flwr/embedded-chain/faucet/v1").digest()


def new_database(values: dict[bytes, bytes]) -> tuple[MemoryDB, dict[bytes, bytes | None]]:
    """Return a database over these values, and the dict in which it notes its changes."""
    from eth.db.backends.memory import MemoryDB

    changes: dict[bytes, bytes | None] = {}

    class NotingDB(MemoryDB):
        def __setitem__(self, key: bytes, value: bytes) -> None:
            super().__setitem__(key, value)
            changes[key] = value

        def __delitem__(self, key: bytes) -> None:
            super().__delitem__(key)
            changes[key] = None

    return NotingDB(values), changes


def open_evm(database: MemoryDB, *, faucet: bytes, timestamp: int) -> MiningChain:
    """Return the chain in this database, with a genesis block where it is empty.

    Raises
    ------
    MissingExtraError
        py-evm is not installed.
    """
    kind: Any = _chain_class()
    from eth.db.atomic import AtomicDB

    atomic = AtomicDB(database)
    if len(database):
        opened: MiningChain = kind(atomic)
    else:
        opened = kind.from_genesis(atomic, _genesis(timestamp), _accounts(faucet))
    return opened


def require_evm() -> None:
    """Raise MissingExtraError unless py-evm and eth-account can be imported."""
    try:
        with kept_recursion_limit():
            import eth.chains.base  # noqa: F401
            import eth_account  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the embedded chain", extra="chain") from error


def _chain_class() -> type[MiningChain]:
    require_evm()
    from eth.chains.base import MiningChain
    from eth.vm.forks.prague import PragueVM
    from eth_typing import BlockNumber

    class EmbeddedEvm(MiningChain):
        chain_id = CHAIN_ID
        vm_configuration = ((BlockNumber(0), PragueVM),)

        def create_header_from_parent(self, parent_header: Any, **params: Any) -> Any:
            params["gas_limit"] = parent_header.gas_limit
            return super().create_header_from_parent(parent_header, **params)

    return EmbeddedEvm


def _genesis(timestamp: int) -> Mapping[str, Any]:
    from eth.constants import (
        BLANK_ROOT_HASH,
        POST_MERGE_DIFFICULTY,
        POST_MERGE_MIX_HASH,
        POST_MERGE_NONCE,
    )

    return {
        "coinbase": bytes(20),
        "difficulty": POST_MERGE_DIFFICULTY,
        "extra_data": b"",
        "gas_limit": GAS_LIMIT,
        "mix_hash": POST_MERGE_MIX_HASH,
        "nonce": POST_MERGE_NONCE,
        "receipt_root": BLANK_ROOT_HASH,
        "timestamp": timestamp,
        "transaction_root": BLANK_ROOT_HASH,
    }


def _accounts(faucet: bytes) -> Mapping[bytes, Mapping[str, Any]]:
    return {faucet: {"balance": _FAUCET_WEI, "nonce": 0, "code": b"", "storage": {}}}
