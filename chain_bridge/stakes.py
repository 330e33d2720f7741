"""What every identity has at stake as of a block, from the registry's events alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.core.anchoring import ChainLog

_EVENTS = (
    "Deposited",
    "UnbondingStarted",
    "Withdrawn",
    "Slashed",
    "SlashReversed",
    "Retired",
)


@dataclass
class _Holding:
    """One identity's part of the registry, as its events leave it."""

    stake: int = 0
    unbonding: int = 0
    retired: bool = False

    def take(self, name: str, event: Mapping[str, Any]) -> None:
        """Do what the contract did when it told this event."""
        if name == "Deposited":
            self.stake += event["amount"]
        elif name == "UnbondingStarted":
            self.stake -= event["amount"]
            self.unbonding += event["amount"]
        elif name == "Withdrawn":
            self.unbonding -= event["amount"]
        elif name == "Slashed":
            from_stake = min(event["amount"], self.stake)
            self.stake -= from_stake
            self.unbonding -= event["amount"] - from_stake
        elif name == "Retired":
            self.retired = True
        elif self.retired:  # SlashReversed
            self.unbonding += event["amount"]
        else:
            self.stake += event["amount"]


def stakes_at(logs: Iterable[ChainLog], *, registry: str, block: int) -> Mapping[bytes, int]:
    """Return what each identity had at stake after a block; what is unbonding is not.

    The same as the contract's ``get(identity).stake`` at that block. No node has to keep the
    state of old blocks for it, and a bundle's events are enough.

    Parameters
    ----------
    logs : iterable of ChainLog
        All events of the registry from its deployment on, in order; others are passed over.
    registry : str, keyword-only
        The ReputationRegistry's address.
    block : int, keyword-only
        The last block that counts.

    Returns
    -------
    Mapping[bytes, int]
        Base units by the registry's name of an identity, 32 bytes; only those above 0.

    Raises
    ------
    ChainError
        An event of the registry cannot be read.
    """
    built = artifact("ReputationRegistry")
    holdings: dict[bytes, _Holding] = {}
    for log in logs:
        if log.address != registry or log.block_number > block:
            continue
        for name in _EVENTS:
            event = decode_event(built, name, log)
            if event is not None:
                holdings.setdefault(event["identity"], _Holding()).take(name, event)
                break
    return {identity: held.stake for identity, held in holdings.items() if held.stake > 0}
