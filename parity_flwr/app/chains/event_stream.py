"""The events of a run's contracts, decoded, once or as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from parity_flwr.app.chains.desk import Desk
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.contracts import ContractName, artifact
from parity_flwr.core.anchoring import ChainLog

Key = tuple[bytes, bytes, int]


def run_events(desk: Desk) -> list[dict[str, Any]]:
    """Return every event of the run's contracts, in order, as plain data."""
    with desk.reading() as chain:
        return [_plain(desk, log) for log in desk.logs(chain)]


def follow_events(
    desk: Desk, *, poll_s: float = 1.0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[dict[str, Any]]:
    """Yield every event, then those that come; one that a reorganisation took is "dropped"."""
    seen: dict[Key, dict[str, Any]] = {}
    while True:
        with desk.reading() as chain:
            logs = desk.logs(chain)
        now = {(log.block_hash, log.tx_hash, log.index): log for log in logs}
        for key in seen.keys() - now.keys():
            yield {**seen.pop(key), "dropped": True}
        for key, log in now.items():
            if key not in seen:
                seen[key] = _plain(desk, log)
                yield seen[key]
        sleep(poll_s)


def _plain(desk: Desk, log: ChainLog) -> dict[str, Any]:
    contract, name, fields = _decoded(desk, log)
    return {
        "block": log.block_number,
        "transaction": "0x" + log.tx_hash.hex(),
        "contract": contract,
        "event": name,
        "fields": {key: _value(value) for key, value in fields.items()},
    }


def _decoded(desk: Desk, log: ChainLog) -> tuple[str, str, dict[str, Any]]:
    made = desk.deployment
    names: dict[str, ContractName] = {
        made.token: "ParityToken",
        made.ledger: "RoundLedger",
        made.rewards: "Rewards",
        made.registry: "ReputationRegistry",
    }
    contract = names[log.address]
    built = artifact(contract)
    for entry in built.abi:
        if entry["type"] == "event":
            fields = decode_event(built, entry["name"], log)
            if fields is not None:
                return contract, str(entry["name"]), dict(fields)
    return contract, "unknown", {}


def _value(value: Any) -> Any:
    """Return a field as JSON holds it: bytes in hex, large integers as text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**53:
        return str(value)
    return value
