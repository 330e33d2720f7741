"""The embedded chain: a real EVM in this process, no server, saved after every block."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from parity_flwr.chain_bridge import evm, evm_reading
from parity_flwr.chain_bridge.chain import Block, Call, Fees, Height, Receipt
from parity_flwr.chain_bridge.rpc_answers import refusal
from parity_flwr.chain_bridge.state_log import StateLog
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import ChainError

if TYPE_CHECKING:
    from eth.abc import BlockHeaderAPI, SignedTransactionAPI

T = TypeVar("T")
STATE_FILE = "chain.log"


class EmbeddedChain:
    """A chain of its own for one process: each transaction is mined at once, in its block.

    Implements :class:`parity_flwr.chain_bridge.chain.Chain`. One worker thread does all the
    work, so threads may share it, and an interrupted caller leaves no half-applied block.

    Parameters
    ----------
    folder : Path or None
        Where the state is kept; None keeps it in memory only.
    clock : callable, keyword-only
        Returns the time of a new block in seconds; blocks never go back in time.

    Raises
    ------
    MissingExtraError
        The extra ``chain`` is not installed.
    ChainError
        Another process has the folder open, or its file was changed.
    """

    def __init__(
        self, folder: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        evm.require_evm()
        self._clock = clock
        self._offset_s = 0
        self._log = StateLog(folder / STATE_FILE) if folder is not None else None
        values = self._log.values if self._log else {}
        database, self._changes = evm.new_database(values)
        faucet = _account(evm.faucet_key())
        self._chain = evm.open_evm(
            database, faucet=bytes.fromhex(faucet[2:]), timestamp=int(clock())
        )
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="parity-chain")
        self._save()

    @property
    def chain_id(self) -> int:
        """The number that signatures bind (EIP-155)."""
        return evm.CHAIN_ID

    def nonce(self, address: str, *, at: Height | Literal["pending"] = "latest") -> int:
        """Return how many transactions the account has sent."""
        account = bytes.fromhex(address[2:])
        height: Height = "latest" if at == "pending" else at
        return self._run(lambda: int(self._state(height).get_nonce(account)))

    def balance(self, address: str) -> int:
        """Return the account's wei."""
        account = bytes.fromhex(address[2:])
        return self._run(lambda: int(self._state("latest").get_balance(account)))

    def send_raw(self, raw: bytes) -> bytes:
        """Mine a signed transaction in a block of its own; return its hash.

        Raises
        ------
        RefusedError
            It is mined already, its nonce is not the account's next, and so on.
        """
        return self._run(lambda: self._mine(raw))

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return what came of a transaction, None if it is in no block."""
        return self._run(lambda: evm_reading.receipt(self._chain, tx_hash))

    def block(self, at: Height) -> Block | None:
        """Return a block, None above the head; the newest one is final at once."""
        return self._run(lambda: evm_reading.block(self._chain, at))

    def logs(
        self,
        addresses: Sequence[str],
        *,
        first: int = 0,
        last: int = 0,
        block_hash: bytes | None = None,
    ) -> tuple[ChainLog, ...]:
        """Return the events of these contracts, in order."""
        wanted = frozenset(bytes.fromhex(address[2:]) for address in addresses)
        return self._run(
            lambda: evm_reading.logs(
                self._chain, wanted, first=first, last=last, block_hash=block_hash
            )
        )

    def call(self, call: Call, *, at: Height = "latest") -> bytes:
        """Return what a contract answers; RevertError if it refuses."""
        return self._run(lambda: evm_reading.call(self._chain, self._header(at), call))

    def estimate(self, call: Call) -> int:
        """Return the least gas with which the transaction works; RevertError if none does."""
        return self._run(lambda: evm_reading.estimate(self._chain, call))

    def fees(self) -> Fees:
        """Return twice the next block's base fee, and one gwei for whoever mines."""
        return self._run(self._fees)

    def fund(self, address: str, wei: int) -> bytes:
        """Give an account coins of this chain, which are worth nothing; return the hash."""
        from eth_account import Account

        faucet = Account.from_key(evm.faucet_key())
        return self._run(lambda: self._mine(self._gift(faucet, address, wei)))

    def advance(self, seconds: int) -> None:
        """Let time pass: mine an empty block that is this much later."""
        self._run(lambda: self._pass(seconds))

    def close(self) -> None:
        """Stop the worker and release the folder."""
        self._worker.shutdown()
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> EmbeddedChain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Callable[[], T]) -> T:
        return self._worker.submit(work).result()

    def _header(self, at: Height) -> BlockHeaderAPI:
        return evm_reading.header(self._chain, at)

    def _state(self, at: Height) -> Any:
        return self._chain.get_vm(self._header(at)).state

    def _gift(self, faucet: Any, address: str, wei: int) -> bytes:
        fees = self._fees()
        signed = faucet.sign_transaction(
            {
                "to": address,
                "value": wei,
                "gas": 21_000,
                "nonce": self._state("latest").get_nonce(bytes.fromhex(faucet.address[2:])),
                "chainId": self.chain_id,
                "maxFeePerGas": fees.max_fee,
                "maxPriorityFeePerGas": fees.priority_fee,
            }
        )
        return bytes(signed.raw_transaction)

    def _fees(self) -> Fees:
        tip = 10**9
        base = int(self._chain.header.base_fee_per_gas or 0)
        return Fees(max_fee=2 * base + tip, priority_fee=tip)

    def _pass(self, seconds: int) -> None:
        parent = self._chain.get_canonical_head().timestamp
        self._offset_s = max(self._offset_s, parent + seconds - int(self._clock()))
        self._close_block()

    def _mine(self, raw: bytes) -> bytes:
        transaction = evm_reading.decode(self._chain, raw)
        self._admit(transaction)
        self._set_time()
        evm_reading.apply(self._chain, transaction)
        self._close_block()
        return bytes(transaction.hash)

    def _admit(self, transaction: SignedTransactionAPI) -> None:
        if evm_reading.receipt(self._chain, transaction.hash) is not None:
            raise refusal("known", "one that is mined")
        expected = self._state("latest").get_nonce(transaction.sender)
        if transaction.nonce != expected:
            which = "nonce too low" if transaction.nonce < expected else "nonce too high"
            raise refusal(which, f"{which}: {transaction.nonce}, the next is {expected}")

    def _set_time(self) -> None:
        now = int(self._clock()) + self._offset_s
        parent = self._chain.get_canonical_head()
        self._chain.set_header_timestamp(max(now, parent.timestamp + 1))

    def _close_block(self) -> None:
        if not evm_reading.has_transactions(self._chain):
            self._set_time()
        parent = bytes(self._chain.get_canonical_head().hash)
        # Contracts that ask for randomness get the same on every replay.
        self._chain.mine_block(coinbase=bytes(20), mix_hash=hashlib.sha256(parent).digest())
        self._save()

    def _save(self) -> None:
        if self._log is not None and self._changes:
            try:
                self._log.append(self._changes)
            except OSError as error:
                raise ChainError(
                    f"the embedded chain needs to write {self._log.path}",
                    came=error.strerror or "an error",
                    action="free some space or fix the permissions, then start again",
                ) from error
        self._changes.clear()


def _account(key: bytes) -> str:
    from eth_account import Account

    return checksum_address(Account.from_key(key).address[2:])
