"""One key, one sender: from a wish in the outbox to a block that stays.

Exactly once rests on three things. The signed bytes and their hash are on the disk before a
node sees them, so a crash never leaves a transaction that nobody remembers. A wish keeps its
nonce, and a chain runs a nonce once. Nothing is signed anew unless a final block shows
another transaction under that nonce.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.chain_bridge.chain import Block, Chain
from parity_flwr.chain_bridge.key_lock import KeyLock
from parity_flwr.chain_bridge.rpc_answers import wrong_chain
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.settling import Pass
from parity_flwr.chain_bridge.signing_rows import Premise, RowSigner
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent, OutboxRow
from parity_flwr.core.protocols import Outbox
from parity_flwr.errors import ChainError, NodeError

_PAGE = 256


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a step did."""

    moved: bool = False  # at least one row came further
    settled: bool = False  # there was nothing left to do
    failure: NodeError | None = None  # the node failed for a row; the others went on


class Sender:
    """Sends what stands in an outbox with one key; safe to share between threads.

    Parameters
    ----------
    chain : Chain
    wallet : Wallet, keyword-only
    outbox : Outbox, keyword-only
    locks : Path, keyword-only
        The folder of :class:`KeyLock`; the same for all processes of this machine.
    chain_id : int, keyword-only
        Of the deployment; nothing is signed while the node is one of another chain.
    settings : SenderSettings, keyword-only
    premise : Premise or None, keyword-only
        Fills in data that depends on the chain; None signs what was queued.

    Raises
    ------
    ChainError
        Another process sends with this key.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        wallet: Wallet,
        outbox: Outbox,
        locks: Path,
        chain_id: int,
        settings: SenderSettings | None = None,
        premise: Premise | None = None,
    ) -> None:
        self.address = wallet.address
        self.outbox = outbox
        self.settings = settings or SenderSettings()
        self._chain = chain
        self._chain_id = chain_id
        self._key_lock = KeyLock(locks, chain_id=chain_id, address=wallet.address)
        self._lock = threading.Lock()
        self._signer = RowSigner(
            chain,
            wallet=wallet,
            outbox=outbox,
            chain_id=chain_id,
            settings=self.settings,
            premise=premise,
        )

    def submit(self, intent: Intent) -> OutboxRow:
        """Queue a transaction, durably and once per key; no network is involved."""
        with self._lock:
            return self.outbox.add(intent)

    def step(self) -> Progress:
        """Move every row on as far as it goes now.

        Raises
        ------
        NodeError
            The node did not say which block is the newest; nothing was done.
        ChainError
            The node is one of another chain; nothing was done.
        """
        with self._lock:
            rows = self.outbox.unsettled(limit=_PAGE)
            if not rows:
                return Progress(settled=True)
            self._require_chain()
            head = self._head()
            one_pass = Pass(
                self._chain,
                outbox=self.outbox,
                signer=self._signer,
                settings=self.settings,
                head=head,
                final=self._final(head),
            )
            moved = one_pass.run(rows)
        return Progress(moved=moved, failure=one_pass.failure)

    def settle(self, *, timeout_s: float, poll_s: float = 0.05) -> None:
        """Step until nothing is under way.

        Raises
        ------
        ChainError
            A transaction failed, or time ran out.
        """
        deadline = time.monotonic() + timeout_s
        progress = self.step()
        while not progress.settled:
            if self.halted():
                raise _unsettled(self.halted())
            if time.monotonic() > deadline:
                raise progress.failure or _unsettled(self._delay(timeout_s))
            if not progress.moved:
                time.sleep(poll_s)
            progress = self.step()

    def _delay(self, timeout_s: float) -> str:
        """Say what holds up the oldest transaction that is under way."""
        reasons = (row.reason for row in self.outbox.unsettled(limit=_PAGE))
        why = next((each for each in reasons if each), "")
        return f"no block within {timeout_s:g} s" + (f": {why}" if why else "")

    def halted(self) -> str:
        """Return why nothing new is signed; empty if nothing stands in the way."""
        failed = self.outbox.failed() if self.settings.halt else ()
        return f"{failed[0].intent.key}: {failed[0].reason}" if failed else ""

    def close(self) -> None:
        """Let another process have the key."""
        self._key_lock.close()

    def _require_chain(self) -> None:
        if self._chain.chain_id != self._chain_id:
            raise wrong_chain(needed=self._chain_id, came=self._chain.chain_id)

    def _head(self) -> Block:
        head = self._chain.block("latest")
        if head is None:
            raise NodeError("a chain needs a newest block", came="none", action="wait for it")
        return head

    def _final(self, head: Block) -> int:
        """Return the height up to which blocks stay."""
        if self.settings.confirmations is not None:
            return head.number - self.settings.confirmations
        final = self._chain.block("finalized")
        return final.number if final is not None else -1


def _unsettled(came: str) -> ChainError:
    return ChainError(
        "a transaction needs to be in a block that stays",
        came=came,
        action="see 'parity chain status', fix the cause and try again",
    )
