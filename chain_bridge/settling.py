"""One pass over the outbox: every row goes as far as the chain lets it now."""

from __future__ import annotations

from contextlib import suppress

from parity_flwr.chain_bridge.chain import Block, Chain
from parity_flwr.chain_bridge.inclusion import (
    find_inclusion,
    held,
    lost_nonce,
    still_there,
    why_reverted,
)
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.signing_rows import RowSigner
from parity_flwr.core.anchoring import Inclusion, OutboxRow, OutboxState
from parity_flwr.core.protocols import Outbox
from parity_flwr.errors import NodeError, RefusedError, RevertError

_UNDER_WAY = frozenset({OutboxState.SIGNED, OutboxState.SENT})


class Pass:
    """One pass; holds what was asked of the chain once for all rows.

    A node that fails for one row does not keep the others waiting: the first failure is
    kept in ``failure`` and the pass goes on.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        outbox: Outbox,
        signer: RowSigner,
        settings: SenderSettings,
        head: Block,
        final: int,
    ) -> None:
        self._chain = chain
        self._outbox = outbox
        self._signer = signer
        self._settings = settings
        self._head = head
        self._final = final
        self.failure: NodeError | None = None

    def run(self, rows: tuple[OutboxRow, ...]) -> bool:
        """Move the rows on, in order; return whether one came further."""
        mined = [row for row in rows if row.state is OutboxState.MINED]
        waiting = [row for row in rows if row.state in _UNDER_WAY]
        queued = [row for row in rows if row.state is OutboxState.QUEUED]
        moved = self._settle(mined)
        for index, row in enumerate(waiting):
            moved |= self._try(row, first=index == 0)
        room = self._settings.window - len(waiting)
        return moved | self._sign(queued[: max(0, room)], trouble=_reverted(mined))

    def _settle(self, mined: list[OutboxRow]) -> bool:
        """Check the newest mined row: while its block stands, so do those below it."""
        kept = [held(row) for row in mined]
        newest = max(
            (each for each in kept if each), key=lambda each: each.block_number, default=None
        )
        if newest is None:
            return False
        try:
            stands = still_there(self._chain, newest)
        except NodeError as error:
            self._note(error)
            return False
        moved = False
        for row, inclusion in zip(mined, kept, strict=True):
            if inclusion is None or not stands:
                moved |= self._find_again(row, inclusion)
            elif inclusion.block_number <= self._final:
                moved |= self._finish(row, inclusion)
        return moved

    def _finish(self, row: OutboxRow, inclusion: Inclusion) -> bool:
        if inclusion.succeeded:
            self._advance(row, OutboxState.FINAL, inclusion)
            return True
        try:
            data = self._signer.data(row)
        except NodeError as error:
            self._note(error)
            return False
        if data is None or self._signer.is_outdated(row, data):
            # A node kept it through a reorganisation and mined it on another block's state.
            self._outbox.requeue(row.position, reason="built on a block that was dropped")
        else:
            self._advance(row, OutboxState.FAILED, inclusion, reason=row.reason)
        return True

    def _find_again(self, row: OutboxRow, old: Inclusion | None) -> bool:
        """Follow a transaction through a reorganisation: elsewhere, or in no block."""
        try:
            found = find_inclusion(self._chain, row)
        except NodeError as error:
            self._note(error)
            return False
        if found == old:
            return False
        if found is None:
            self._advance(row, OutboxState.SIGNED, None, reason="dropped by a reorganisation")
        else:
            self._include(row, found)
        return True

    def _try(self, row: OutboxRow, *, first: bool) -> bool:
        try:
            if row.state is OutboxState.SIGNED:
                return self._send_current(row)
            found = find_inclusion(self._chain, row)
            if found is None:
                return self._wait(row, first)
            self._include(row, found)
            return True
        except NodeError as error:
            self._note(error)
        except RevertError as error:
            # Only a replacement estimates here, and its first form is under way.
            self._advance(row, row.state, None, reason=str(error.came))
        return False

    def _include(self, row: OutboxRow, found: Inclusion) -> None:
        reason = "" if found.succeeded else why_reverted(self._chain, row, found)
        self._advance(row, OutboxState.MINED, found, reason=reason)

    def _send_current(self, row: OutboxRow) -> bool:
        """Send a signed row, signed again first if what it was built on has changed."""
        data = self._signer.data(row)
        if data is None:
            return False
        if self._signer.is_outdated(row, data):
            return self._signer.replace(row, self._head)
        return self._send(row)

    def _send(self, row: OutboxRow) -> bool:
        """Hand over a row's newest bytes; what a refusal means depends on its words."""
        try:
            self._chain.send_raw(row.attempts[-1].raw)
        except RefusedError as error:
            return self._refused(row, error)
        self._advance(row, OutboxState.SENT, None)
        return True

    def _refused(self, row: OutboxRow, error: RefusedError) -> bool:
        if error.refusal in {"known", "nonce too low"}:
            # Both mean that the receipt, now or soon, tells more than the refusal.
            self._advance(row, OutboxState.SENT, None, reason=error.refusal)
            return True
        if error.refusal == "underpriced" and self._signer.replace(row, self._head):
            return True
        if row.reason != error.came:
            self._advance(row, row.state, None, reason=error.came)
        return False

    def _wait(self, row: OutboxRow, first: bool) -> bool:
        """Look after a row that a node took and no block holds."""
        if lost_nonce(self._chain, row, final=self._final):
            self._outbox.requeue(row.position, reason="its nonce went elsewhere")
            self._signer.forget_nonce()
            return True
        waited = self._head.number - row.attempts[-1].first_seen
        # Later nonces wait for the first one; paying more for them would not help.
        data = self._signer.data(row) if first else None
        if data is None:
            return False
        stuck = waited >= self._settings.stuck_blocks or self._signer.is_outdated(row, data)
        if stuck and self._signer.replace(row, self._head):
            return True
        self._remind(row)
        return False

    def _remind(self, row: OutboxRow) -> None:
        """Send the same bytes again: a node may have lost what it once took."""
        with suppress(RefusedError):
            self._chain.send_raw(row.attempts[-1].raw)

    def _sign(self, queued: list[OutboxRow], *, trouble: bool) -> bool:
        if not queued or (self._settings.halt and (trouble or self._outbox.failed())):
            return False
        moved = False
        for row in queued:
            try:
                if not self._signer.sign(row, self._head):
                    break
                moved = True
            except RevertError as error:
                self._advance(row, OutboxState.FAILED, None, reason=f"reverted: {error.came}")
                return True
            except NodeError as error:
                self._note(error)
                break
        return moved

    def _advance(
        self, row: OutboxRow, state: OutboxState, found: Inclusion | None, reason: str = ""
    ) -> None:
        self._outbox.advance(row.position, state, inclusion=found, reason=reason)

    def _note(self, error: NodeError) -> None:
        self.failure = self.failure or error


def _reverted(mined: list[OutboxRow]) -> bool:
    return any(row.succeeded is False for row in mined)
