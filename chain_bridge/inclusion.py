"""Where a transaction ended up: in which block, under which of its hashes, or not at all."""

from __future__ import annotations

from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.core.anchoring import REORG_WINDOW, Inclusion, OutboxRow
from parity_flwr.errors import ChainError, NodeError, RevertError


def find_inclusion(chain: Chain, row: OutboxRow) -> Inclusion | None:
    """Return where one of the row's attempts was mined, None while none is in a block."""
    for attempt in reversed(row.attempts):
        found = chain.receipt(attempt.tx_hash)
        if found is not None:
            return Inclusion(
                tx_hash=found.tx_hash,
                block_number=found.block_number,
                block_hash=found.block_hash,
                gas_used=found.gas_used,
                succeeded=found.succeeded,
                created=found.created,
            )
    return None


def held(row: OutboxRow) -> Inclusion | None:
    """Return the inclusion that a row has on record."""
    if row.tx_hash is None or row.block_number is None or row.block_hash is None:
        return None
    return Inclusion(
        tx_hash=row.tx_hash,
        block_number=row.block_number,
        block_hash=row.block_hash,
        gas_used=row.gas_used or 0,
        succeeded=bool(row.succeeded),
        created=row.created,
    )


def still_there(chain: Chain, inclusion: Inclusion) -> bool:
    """Say whether the chain still holds the block in which a transaction was mined."""
    found = chain.block(inclusion.block_number)
    return found is not None and found.hash == inclusion.block_hash


def lost_nonce(chain: Chain, row: OutboxRow, *, final: int) -> bool:
    """Say whether another transaction has the row's nonce, in a block that is final.

    A missing receipt proves nothing: a node may lag behind another one of the same
    address. So the block in which the account's nonce passed the row's is looked up, and
    it must hold none of the row's hashes.
    """
    if row.sender is None or row.nonce is None or final < 0:
        return False
    if chain.nonce(row.sender, at=final) <= row.nonce:
        return False
    seen = min(attempt.first_seen for attempt in row.attempts)
    low, high = max(0, min(seen, final) - REORG_WINDOW), final
    while low < high:
        middle = (low + high) // 2
        if chain.nonce(row.sender, at=middle) > row.nonce:
            high = middle
        else:
            low = middle + 1
    block = chain.block(high)
    ours = {attempt.tx_hash for attempt in row.attempts}
    return block is not None and bool(block.transactions) and not ours & {*block.transactions}


def why_reverted(chain: Chain, row: OutboxRow, inclusion: Inclusion) -> str:
    """Return what the contract said, as far as asking again can tell."""
    call = Call(
        to=row.intent.to, data=row.intent.data, sender=row.sender, value=row.intent.value
    )
    try:
        chain.call(call, at=max(0, inclusion.block_number - 1))
    except RevertError as error:
        return f"reverted: {error.came}"
    except (NodeError, ChainError):
        return "reverted"
    return "reverted; the same call works now, perhaps it ran out of gas"
