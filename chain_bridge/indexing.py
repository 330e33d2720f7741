"""Following the events of contracts, through reorganisations, block by block."""

from __future__ import annotations

from collections.abc import Sequence

from parity_flwr.chain_bridge.chain import Block, Chain
from parity_flwr.core.anchoring import REORG_WINDOW, BlockId
from parity_flwr.core.protocols import LogIndex
from parity_flwr.errors import ChainError, NodeError

_CHUNK = 500


class IndexFollower:
    """Brings an index up to the chain's head.

    The index keeps height and hash of its newest blocks. Where they are not the chain's any
    more, everything above the last common block is forgotten and read again, so the index
    always equals one that is read from the beginning. The newest blocks are asked for their
    events by hash, which no reorganisation in between can mix up.

    Parameters
    ----------
    chain : Chain
    index : LogIndex, keyword-only
    addresses : sequence of str, keyword-only
        The contracts.
    first_block : int, keyword-only
        Where they were deployed: nothing below is read.
    """

    def __init__(
        self, chain: Chain, *, index: LogIndex, addresses: Sequence[str], first_block: int
    ) -> None:
        self._chain = chain
        self._index = index
        self._addresses = tuple(addresses)
        self._first_block = first_block

    def follow(self) -> int:
        """Read up to the head; return how many indexed blocks a reorganisation dropped.

        Raises
        ------
        NodeError
            The node failed, or the chain changed under the reader: call again.
        ChainError
            The reorganisation is deeper than the window; nothing is guessed then.
        """
        dropped = self._rewind()
        head = self._chain.block("latest")
        if head is None:
            raise _changed("no newest block")
        start = self._next()
        start = self._backfill(start, last=head.number - REORG_WINDOW - 1)
        for number in range(start, head.number + 1):
            self._add(number)
        return dropped

    def _next(self) -> int:
        cursor = self._index.cursor()
        return cursor[-1].number + 1 if cursor else self._first_block

    def _rewind(self) -> int:
        """Go back to the last block that index and chain have in common."""
        cursor = self._index.cursor()
        for back, known in enumerate(reversed(cursor)):
            found = self._chain.block(known.number)
            if found is not None and found.hash == known.hash:
                if back:
                    self._index.rewind(known.number)
                return back
        if not cursor:
            return 0
        if cursor[0].number == self._first_block:
            self._index.rewind(self._first_block - 1)
            return len(cursor)
        raise ChainError(
            f"an index needs a common block within the last {REORG_WINDOW}",
            came="a chain that differs in all of them",
            action="check that the node is on the right chain, then read the index anew",
        )

    def _backfill(self, start: int, *, last: int) -> int:
        """Read what is too deep to change, in large pieces; return the next height."""
        while start <= last:
            end = min(start + _CHUNK - 1, last)
            logs = self._chain.logs(self._addresses, first=start, last=end)
            top = self._block(end)
            self._index.extend([BlockId(number=end, hash=top.hash)], logs)
            start = end + 1
        return start

    def _add(self, number: int) -> None:
        block = self._block(number)
        cursor = self._index.cursor()
        if cursor and cursor[-1].hash != block.parent_hash:
            raise _changed(f"block {number} with another parent")
        logs = self._chain.logs(self._addresses, block_hash=block.hash)
        self._index.extend([BlockId(number=number, hash=block.hash)], logs)

    def _block(self, number: int) -> Block:
        found = self._chain.block(number)
        if found is None:
            raise _changed(f"no block {number}")
        return found


def _changed(came: str) -> NodeError:
    return NodeError("reading a chain needs it to stand still", came=came, action="read again")
