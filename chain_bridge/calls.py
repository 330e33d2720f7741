"""Calls of the package's contracts as bytes and back, from their ABI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parity_flwr.chain_bridge.contracts import Artifact
from parity_flwr.core.abi import keccak256
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import ChainError, ConfigError, MissingExtraError


def encode_call(contract: Artifact, function: str, arguments: Sequence[Any]) -> bytes:
    """Return selector and arguments of a function.

    Raises
    ------
    ConfigError
        The contract has no such function, or an argument is not of its type.
    """
    entry = contract.entry("function", function)
    types = [type_of(each) for each in entry["inputs"]]
    selector = keccak256(f"{function}({','.join(types)})".encode())[:4]
    return selector + _encode(types, arguments, where=f"{contract.name}.{function}")


def encode_creation(contract: Artifact, arguments: Sequence[Any]) -> bytes:
    """Return what creates a contract; ConfigError if an argument is not of its type."""
    entries = [each for each in contract.abi if each["type"] == "constructor"]
    types = [type_of(each) for entry in entries for each in entry["inputs"]]
    return contract.bytecode + _encode(types, arguments, where=contract.name)


def decode_result(contract: Artifact, function: str, data: bytes) -> tuple[Any, ...]:
    """Return what a function returned; ChainError if the bytes are something else."""
    types = [type_of(each) for each in contract.entry("function", function)["outputs"]]
    return _decode(types, data, where=f"{contract.name}.{function}")


def decode_event(contract: Artifact, name: str, log: ChainLog) -> Mapping[str, Any] | None:
    """Return an event's fields by name, None if the log is another event.

    Raises
    ------
    ChainError
        It says it is this event, and its bytes are something else.
    """
    inputs = contract.entry("event", name)["inputs"]
    signature = f"{name}({','.join(type_of(each) for each in inputs)})"
    if not log.topics or log.topics[0] != keccak256(signature.encode()):
        return None
    indexed = [each for each in inputs if each["indexed"]]
    plain = [each for each in inputs if not each["indexed"]]
    where = f"{contract.name}.{name}"
    values = _decode([type_of(e) for e in indexed], b"".join(log.topics[1:]), where=where)
    more = _decode([type_of(each) for each in plain], log.data, where=where)
    named = zip([*indexed, *plain], [*values, *more], strict=True)
    return {each["name"]: value for each, value in named}


def error_name(contracts: Sequence[Artifact], data: bytes) -> str:
    """Return the name of the error in revert data, empty if no contract has it."""
    for contract in contracts:
        for entry in contract.abi:
            if entry["type"] == "error":
                types = ",".join(type_of(each) for each in entry["inputs"])
                if keccak256(f"{entry['name']}({types})".encode())[:4] == data[:4]:
                    return str(entry["name"])
    return ""


def type_of(entry: Mapping[str, Any]) -> str:
    """Return an ABI type as signatures spell it: structs are tuples of their fields."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    fields = ",".join(type_of(each) for each in entry["components"])
    return f"({fields}){kind.removeprefix('tuple')}"


def _encode(types: Sequence[str], arguments: Sequence[Any], *, where: str) -> bytes:
    abi = _eth_abi()
    from eth_abi.exceptions import EncodingError

    try:
        return bytes(abi.encode(types, arguments))
    except (EncodingError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{where} needs arguments of the types ({', '.join(types)})",
            came=ascii(str(error))[:200],
            action="pass what the contract takes",
        ) from error


def _decode(types: Sequence[str], data: bytes, *, where: str) -> tuple[Any, ...]:
    abi = _eth_abi()
    from eth_abi.exceptions import DecodingError

    try:
        return tuple(abi.decode(types, data))
    except (DecodingError, OverflowError, ValueError) as error:
        raise ChainError(
            f"{where} needs to answer with ({', '.join(types)})",
            came=f"{len(data)} other bytes",
            action="check the contract's address and chain",
        ) from error


def _eth_abi() -> Any:
    try:
        from eth_abi import abi
    except ImportError as error:
        raise MissingExtraError("calling contracts", extra="chain") from error
    return abi
