"""Answers of a JSON-RPC node as the bridge's plain data. A node may say anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from parity_flwr.chain_bridge.calls import error_name
from parity_flwr.chain_bridge.chain import Block, Height, Receipt
from parity_flwr.chain_bridge.contracts import CONTRACT_NAMES, artifact
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import ChainError, NodeError, RefusedError, RevertError

MAX_LOGS = 100_000
MAX_DATA = 1 << 20
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")

_REFUSALS = (
    ("known", ("already known", "already imported", "known transaction", "alreadyknown")),
    ("nonce too low", ("nonce too low", "nonce is too low")),
    ("nonce too high", ("nonce too high", "nonce is too high", "nonce gap")),
    ("underpriced", ("underpriced", "fee too low", "less than block base fee", "lower than")),
    ("funds", ("insufficient funds", "insufficient balance", "not have enough funds")),
)
_BUSY = frozenset({-32005, -32603, -32016, 429})


def away(came: str) -> NodeError:
    """Return the error for a node that is away or talks nonsense."""
    return NodeError(
        "the chain's node needs to answer", came=came, action="check the node, or wait for it"
    )


def result(response: object, method: str) -> Any:
    """Return the result in a response.

    Raises
    ------
    NodeError
        It is no JSON-RPC response, or the node is busy.
    RefusedError, RevertError, ChainError
        The node says no: to a transaction, for a contract, or to anything else.
    """
    if not isinstance(response, Mapping):
        raise away("a response that is no object")
    error = response.get("error")
    if error is not None:
        raise _said_no(error, method)
    if "result" not in response:
        raise away("a response without a result")
    return response["result"]


def number(value: object) -> int:
    """Return a quantity, at most 256 bits."""
    if not isinstance(value, str) or not _QUANTITY.match(value):
        raise _nonsense("a number", value)
    return int(value, 16)


def data(value: object) -> bytes:
    """Return bytes, at most one MiB."""
    if not isinstance(value, str) or len(value) > 2 * MAX_DATA + 2 or not _HEX.match(value):
        raise _nonsense("bytes", value)
    return bytes.fromhex(value[2:])


def hash32(value: object) -> bytes:
    """Return 32 bytes."""
    found = data(value)
    if len(found) != 32:
        raise _nonsense("32 bytes", value)
    return found


def address(value: object) -> str:
    """Return an address with its checksum."""
    found = data(value)
    if len(found) != 20:
        raise _nonsense("an address", value)
    return checksum_address(found.hex())


def block(value: object, at: Height) -> Block:
    """Return a block's header; NodeError if it is not the one that was asked for."""
    fields = _object(value)
    found = Block(
        number=number(fields.get("number")),
        hash=hash32(fields.get("hash")),
        parent_hash=hash32(fields.get("parentHash")),
        timestamp=number(fields.get("timestamp")),
        base_fee=number(fields.get("baseFeePerGas") or "0x0"),
        transactions=tuple(hash32(each) for each in _list(fields.get("transactions"))),
    )
    if isinstance(at, int) and found.number != at:
        raise _nonsense(f"block {at}", fields.get("number"))
    return found


def receipt(value: object, tx_hash: bytes) -> Receipt | None:
    """Return what came of a transaction; None while the node has no block for it."""
    fields = _object(value)
    if fields.get("blockHash") is None or fields.get("blockNumber") is None:
        return None
    if hash32(fields.get("transactionHash")) != tx_hash:
        raise _nonsense("the receipt that was asked for", fields.get("transactionHash"))
    created = fields.get("contractAddress")
    return Receipt(
        tx_hash=tx_hash,
        succeeded=number(fields.get("status")) == 1,
        block_number=number(fields.get("blockNumber")),
        block_hash=hash32(fields.get("blockHash")),
        gas_used=number(fields.get("gasUsed")),
        created=None if created is None else address(created),
        logs=tuple(_log(each) for each in _list(fields.get("logs"))),
    )


def logs(
    value: object, *, addresses: Sequence[str], block_hash: bytes | None
) -> tuple[ChainLog, ...]:
    """Return events in the chain's order; NodeError if one was not asked for."""
    found = sorted(
        (_log(each) for each in _list(value)), key=lambda each: (each.block_number, each.index)
    )
    wanted = frozenset(each.lower() for each in addresses)
    for each in found:
        if each.address.lower() not in wanted or block_hash not in (None, each.block_hash):
            raise _nonsense("events of these contracts and this block", each.address)
    return tuple(found)


def _log(value: object) -> ChainLog:
    fields = _object(value)
    return ChainLog(
        address=address(fields.get("address")),
        topics=tuple(hash32(each) for each in _list(fields.get("topics"))[:4]),
        data=data(fields.get("data")),
        block_number=number(fields.get("blockNumber")),
        block_hash=hash32(fields.get("blockHash")),
        tx_hash=hash32(fields.get("transactionHash")),
        index=number(fields.get("logIndex")),
    )


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _nonsense("an object", value)
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_LOGS:
        raise _nonsense(f"a list of at most {MAX_LOGS}", type(value).__name__)
    return value


def _nonsense(needed: str, came: object) -> NodeError:
    return away(f"{ascii(came)[:80]} where {needed} belongs")


def _said_no(error: object, method: str) -> ChainError:
    fields = error if isinstance(error, Mapping) else {"message": error}
    code, message = fields.get("code"), ascii(fields.get("message"))[1:-1][:300]
    reverted = _revert_data(fields.get("data"))
    lower = message.lower()
    if method in {"eth_call", "eth_estimateGas"} and (reverted or "revert" in lower):
        return revert(reverted, message)
    if method == "eth_sendRawTransaction":
        kind = next((kind for kind, words in _REFUSALS if any(w in lower for w in words)), None)
        if kind is not None or code not in _BUSY:
            return refusal(kind or "other", message)
    if code in _BUSY or "limit" in lower or "busy" in lower:
        return away(message)
    return ChainError(
        f"the chain's node needs to know {method}", came=message, action="use another node"
    )


def refusal(kind: str, came: str) -> RefusedError:
    """Return the error for a transaction that a node does not take."""
    return RefusedError(
        "a chain needs a transaction that it can still mine",
        came=came,
        action="fund the account" if kind == "funds" else "look up the receipt by its hash",
        refusal=kind,
    )


def revert(found: bytes, came: str) -> RevertError:
    """Return the error for a contract that refused."""
    return RevertError(
        "a contract needs a call that it accepts",
        came=_said(found) if found else came or "a revert",
        action="compare the selector with the contract's errors",
        data=found,
    )


def _said(found: bytes) -> str:
    """Return the name of a contract's error where it is one of ours, and the data."""
    name = error_name([artifact(each) for each in CONTRACT_NAMES], found)
    return f"{name or 'revert data'} 0x{found[:68].hex()}"


def _revert_data(value: object) -> bytes:
    # Nodes put it in the error's data, plainly or one level deeper.
    if isinstance(value, Mapping):
        value = value.get("data")
    if isinstance(value, str) and len(value) <= 2 * MAX_DATA and _HEX.match(value):
        return bytes.fromhex(value[2:])
    return b""


def wrong_chain(*, needed: int | None, came: int) -> ChainError:
    """Return the error for a chain that is not the one of a deployment."""
    return ChainError(
        f"this deployment needs the chain {needed}",
        came=f"the chain {came}",
        action="pass the URL of the right chain, or deploy to this one",
    )
