"""What py-evm's objects say, as the bridge's plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from parity_flwr.chain_bridge.chain import Block, Call, Height, Receipt
from parity_flwr.chain_bridge.rpc_answers import refusal, revert
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import NodeError, RefusedError

if TYPE_CHECKING:
    from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
    from eth.chains.base import MiningChain

_CALL_GAS = 30_000_000
_ESTIMATE = 100  # how far an estimate may lie above what is needed


def header(chain: MiningChain, at: Height) -> BlockHeaderAPI:
    """Return the header of a block that is there; NodeError above the head."""
    head = chain.get_canonical_head()
    if isinstance(at, str):
        return head
    if not 0 <= at <= head.block_number:
        raise NodeError(
            f"a block needs a height from 0 to {head.block_number}",
            came=str(at),
            action="ask for a block that is there",
        )
    return _canonical(chain, at)


def block(chain: MiningChain, at: Height) -> Block | None:
    """Return a block, None above the head."""
    if not isinstance(at, str) and at > chain.get_canonical_head().block_number:
        return None
    found = _block_of(chain, header(chain, at))
    return Block(
        number=found.number,
        hash=bytes(found.hash),
        parent_hash=bytes(found.header.parent_hash),
        timestamp=found.header.timestamp,
        base_fee=int(found.header.base_fee_per_gas or 0),
        transactions=tuple(bytes(each.hash) for each in found.transactions),
    )


def receipt(chain: MiningChain, tx_hash: bytes) -> Receipt | None:
    """Return what came of a transaction, None if it is in no block."""
    from eth.exceptions import TransactionNotFound
    from eth_typing import Hash32

    try:
        number, index = chain.chaindb.get_transaction_index(Hash32(tx_hash))
    except TransactionNotFound:
        return None
    found = _block_of(chain, header(chain, number))
    receipts = found.get_receipts(chain.chaindb)
    before = receipts[index - 1].gas_used if index else 0
    return Receipt(
        tx_hash=tx_hash,
        succeeded=receipts[index].state_root == b"\x01",
        block_number=found.number,
        block_hash=bytes(found.hash),
        gas_used=receipts[index].gas_used - before,
        created=_created(found.transactions[index]),
        logs=tuple(each for each in _logs(found, receipts) if each.tx_hash == tx_hash),
    )


def logs(
    chain: MiningChain,
    addresses: frozenset[bytes],
    *,
    first: int,
    last: int,
    block_hash: bytes | None,
) -> tuple[ChainLog, ...]:
    """Return the events of these contracts, in order; the blooms say where to look."""
    head = chain.get_canonical_head().block_number
    numbers = (
        [_number_of(chain, block_hash)] if block_hash else range(first, min(last, head) + 1)
    )
    found: list[ChainLog] = []
    for number in numbers:
        which = _canonical(chain, number)
        if not which.bloom or not _may_hold(which.bloom, addresses):
            continue
        blocks = _block_of(chain, which)
        found += (
            each
            for each in _logs(blocks, blocks.get_receipts(chain.chaindb))
            if bytes.fromhex(each.address[2:]) in addresses
        )
    return tuple(found)


def call(chain: MiningChain, at: BlockHeaderAPI, question: Call) -> bytes:
    """Return what a contract answers; RevertError if it refuses."""
    from eth_utils.exceptions import ValidationError

    try:
        with chain.get_vm(at).in_costless_state() as free:
            computation = free.apply_transaction(_spoofed(chain, at, question))
    except (ValidationError, RecursionError) as error:
        raise revert(b"", str(error)) from error
    if computation.is_error:
        raise revert(_revert_data(computation), type(computation.error).__name__)
    return bytes(computation.output)


def estimate(chain: MiningChain, question: Call) -> int:
    """Return the least gas with which a transaction works; RevertError if none does."""
    from eth.estimators.gas import binary_gas_search
    from eth.exceptions import VMError

    head = chain.get_canonical_head()
    call(chain, head, question)
    try:
        with chain.get_vm(head).in_costless_state() as free:
            spoofed = _spoofed(chain, head, question)
            return int(binary_gas_search(free, spoofed, tolerance=_ESTIMATE))
    except VMError as error:
        raise revert(b"", str(error)) from error


def decode(chain: MiningChain, raw: bytes) -> SignedTransactionAPI:
    """Return the signed transaction in these bytes; RefusedError if there is none."""
    import rlp
    from eth.exceptions import PyEVMError
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    try:
        transaction = chain.get_vm().get_transaction_builder().decode(raw)
        chain_id = getattr(transaction, "chain_id", None)
        if chain_id not in (None, chain.chain_id):
            raise ValidationError(f"chain id {chain_id}, not {chain.chain_id}")
        _ = transaction.sender
    except (
        PyEVMError,
        rlp.exceptions.RLPException,
        ValidationError,
        BadSignature,
        IndexError,
        ValueError,
        TypeError,
    ) as error:
        raise _refused(str(error)) from error
    return transaction


def apply(chain: MiningChain, transaction: SignedTransactionAPI) -> None:
    """Run a transaction in the block under way; RefusedError if it may not run."""
    from eth_utils.exceptions import ValidationError

    try:
        chain.apply_transaction(transaction)
    except ValidationError as error:
        raise _refused(str(error)) from error
    except RecursionError as error:
        raise _refused("calls nested deeper than this chain can run") from error


def has_transactions(chain: MiningChain) -> bool:
    """Say whether the block under way holds any."""
    return bool(chain.get_block().transactions)


def _refused(came: str) -> RefusedError:
    lower = came.lower()
    funds = "balance" in lower or "afford" in lower or "funds" in lower
    return refusal("funds" if funds else "other", " ".join(came.split())[:200])


def _canonical(chain: MiningChain, number: int) -> BlockHeaderAPI:
    from eth_typing import BlockNumber

    return chain.get_canonical_block_header_by_number(BlockNumber(number))


def _block_of(chain: MiningChain, at: BlockHeaderAPI) -> BlockAPI:
    return chain.get_block_by_header(at)


def _number_of(chain: MiningChain, block_hash: bytes) -> int:
    from eth_typing import Hash32

    return chain.get_block_header_by_hash(Hash32(block_hash)).block_number


def _may_hold(bloom: int, addresses: frozenset[bytes]) -> bool:
    from eth_bloom.bloom import BloomFilter

    return any(address in BloomFilter(bloom) for address in addresses)


def _logs(which: BlockAPI, receipts: tuple[ReceiptAPI, ...]) -> Iterator[ChainLog]:
    index = 0
    for transaction, found in zip(which.transactions, receipts, strict=True):
        for log in found.logs:
            yield ChainLog(
                address=checksum_address(log.address.hex()),
                topics=tuple(topic.to_bytes(32, "big") for topic in log.topics),
                data=bytes(log.data),
                block_number=which.number,
                block_hash=bytes(which.hash),
                tx_hash=bytes(transaction.hash),
                index=index,
            )
            index += 1


def _created(transaction: SignedTransactionAPI) -> str | None:
    if transaction.to:
        return None
    from eth._utils.address import generate_contract_address

    made = generate_contract_address(transaction.sender, transaction.nonce)
    return checksum_address(made.hex())


def _spoofed(chain: MiningChain, at: BlockHeaderAPI, question: Call) -> Any:
    from eth.vm.spoof import SpoofTransaction
    from eth_typing import Address

    sender = Address(bytes.fromhex(question.sender[2:]) if question.sender else bytes(20))
    builder: Any = chain.get_vm().get_transaction_builder()
    unsigned = builder.new_unsigned_dynamic_fee_transaction(
        chain_id=chain.chain_id,
        nonce=chain.get_vm(at).state.get_nonce(sender),
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas=_CALL_GAS,
        to=bytes.fromhex(question.to[2:]) if question.to else b"",
        value=question.value,
        data=question.data,
        access_list=(),
    )
    return SpoofTransaction(unsigned, from_=sender)


def _revert_data(computation: Any) -> bytes:
    from eth.exceptions import Revert

    error = computation.error
    return bytes(error.args[0]) if isinstance(error, Revert) and error.args else b""
