"""Giving the rows of an outbox their nonces and bytes, on the disk before anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from parity_flwr.chain_bridge.chain import Block, Call, Chain, Fees
from parity_flwr.chain_bridge.sender_settings import GWEI, SenderSettings
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent, OutboxRow
from parity_flwr.core.protocols import Outbox

TIP = GWEI
"""What every transaction offers on top of the base fee, in wei per gas."""


class Premise(Protocol):
    """Fills in what a transaction's data takes from the chain as it is now."""

    def data(self, intent: Intent) -> bytes | None:
        """Return the data to sign; None while the chain does not know it yet."""
        ...


class RowSigner:
    """Signs rows with one key; its own counter of nonces, one thread at a time.

    Parameters
    ----------
    chain : Chain
    wallet : Wallet, keyword-only
    outbox : Outbox, keyword-only
    chain_id : int, keyword-only
    settings : SenderSettings, keyword-only
    premise : Premise or None, keyword-only
        None signs the data as it was queued.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        wallet: Wallet,
        outbox: Outbox,
        chain_id: int,
        settings: SenderSettings,
        premise: Premise | None = None,
    ) -> None:
        self.address = wallet.address
        self._chain = chain
        self._wallet = wallet
        self._outbox = outbox
        self._chain_id = chain_id
        self._settings = settings
        self._premise = premise
        self._next: int | None = None

    def sign(self, row: OutboxRow, head: Block) -> bool:
        """Give a queued row the next nonce; False while its data cannot be known yet.

        Raises
        ------
        RevertError
            The node was asked for an estimate, and the transaction would revert.
        """
        data = self.data(row)
        if data is None:
            return False
        nonce = self._nonce()
        fees = self._capped(_offer(head))
        self._store(row, data=data, nonce=nonce, fees=fees, height=head.number)
        self._next = nonce + 1
        return True

    def data(self, row: OutboxRow) -> bytes | None:
        """Return what the transaction must carry as the chain is now, None if unknown."""
        return row.intent.data if self._premise is None else self._premise.data(row.intent)

    def is_outdated(self, row: OutboxRow, data: bytes) -> bool:
        """Say whether the newest signed form carries other data (it holds it verbatim)."""
        return data not in row.attempts[-1].raw

    def replace(self, row: OutboxRow, head: Block) -> bool:
        """Sign a row again under its nonce for 12.5 % more; False at the cap."""
        data = self.data(row)
        if row.nonce is None or not row.attempts or data is None:
            return False
        last, now = row.attempts[-1], _offer(head)
        fees = Fees(
            max_fee=max(_more(last.max_fee), now.max_fee),
            priority_fee=max(_more(last.priority_fee), now.priority_fee),
        )
        if fees.max_fee > self._settings.fee_cap:
            return False
        self._store(row, data=data, nonce=row.nonce, fees=fees, height=head.number)
        return True

    def forget_nonce(self) -> None:
        """Ask chain and outbox for the next nonce again: somebody else used the key."""
        self._next = None

    def _nonce(self) -> int:
        if self._next is not None:
            return self._next
        promised = self._outbox.next_nonce(chain_id=self._chain_id, sender=self.address)
        return max(promised, self._chain.nonce(self.address, at="pending"))

    def _store(
        self, row: OutboxRow, *, data: bytes, nonce: int, fees: Fees, height: int
    ) -> None:
        intent = replace(row.intent, data=data)
        attempt = self._wallet.sign(
            intent,
            chain_id=self._chain_id,
            nonce=nonce,
            gas=intent.gas or self._estimate(intent),
            fees=fees,
            height=height,
        )
        self._outbox.sign(
            row.position,
            chain_id=self._chain_id,
            sender=self.address,
            nonce=nonce,
            attempt=attempt,
        )

    def _estimate(self, intent: Intent) -> int:
        call = Call(to=intent.to, data=intent.data, sender=self.address, value=intent.value)
        return self._chain.estimate(call) * (100 + self._settings.gas_margin_percent) // 100

    def _capped(self, fees: Fees) -> Fees:
        cap = self._settings.fee_cap
        return Fees(max_fee=min(fees.max_fee, cap), priority_fee=min(fees.priority_fee, cap))


def _offer(head: Block) -> Fees:
    return Fees(max_fee=2 * head.base_fee + TIP, priority_fee=TIP)


def _more(fee: int) -> int:
    """Return 12.5 % more, rounded up: nodes take a replacement from 10 % on."""
    return fee + -(-fee // 8)
