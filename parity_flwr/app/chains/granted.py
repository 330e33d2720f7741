"""What a chain grants by now: the newest round whose root counts, with its proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.chains.desk import Desk
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.contracts import artifact, record_hash
from parity_flwr.chain_bridge.membership import RoundKey
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.errors import ContentError


@dataclass(frozen=True)
class Granted:
    """A round that counts."""

    key: RoundKey
    scores: ScoreList


def granted(desk: Desk, chain: Chain, logs: Sequence[ChainLog]) -> Granted | None:
    """Return the newest round that the ledger says is active, None if none is.

    From a bundle, which may be older than the chain: the newest one that it holds.

    Raises
    ------
    ContentError
        The published score list of that round does not give its root.
    """
    for _, event in sorted(recorded(desk, logs).items(), reverse=True):
        key = active_round(desk, chain, event) if desk.holds(event["round"]) else None
        if key is not None:
            scores = desk.scores(key.round, cid=event["scoresCid"])
            if scores.tree.root != event["rewardRoot"]:
                raise ContentError(
                    f"the score list of round {key.round} needs to give the root on chain",
                    came="another root",
                    action="run 'parity verify', and copy the list from whoever published it",
                )
            return Granted(key, scores)
    return None


def recorded(desk: Desk, logs: Sequence[ChainLog]) -> dict[int, Mapping[str, Any]]:
    """Return the ledger's event of every round."""
    built = artifact("RoundLedger")
    mine = [log for log in logs if log.address == desk.deployment.ledger]
    found = (decode_event(built, "RoundRecorded", log) for log in mine)
    return {event["round"]: event for event in found if event is not None}


def active_round(desk: Desk, chain: Chain, event: Mapping[str, Any] | None) -> RoundKey | None:
    """Return what names a recorded round to the contracts, None unless its root counts."""
    if event is None:
        return None
    key = _key(event)
    counts = desk.ask(chain, "RoundLedger", "isActive", key.values, event["rewardRoot"])
    return key if counts else None


def claimed(desk: Desk, logs: Sequence[ChainLog]) -> dict[bytes, int]:
    """Return what each identity on chain was paid so far, units of 1e-18 token."""
    built, paid = artifact("Rewards"), dict[bytes, int]()
    for log in logs:
        mine = log.address == desk.deployment.rewards
        event = decode_event(built, "Claimed", log) if mine else None
        if event is not None:
            paid[event["identity"]] = paid.get(event["identity"], 0) + event["amount"]
    return paid


def _key(event: Mapping[str, Any]) -> RoundKey:
    hashed = record_hash(
        round=event["round"],
        previous=event["previous"],
        model_hash=event["modelHash"],
        total=event["total"],
        model_cid=event["modelCid"],
        scores_cid=event["scoresCid"],
    )
    return RoundKey(round=event["round"], active_at=event["activeAt"], record_hash=hashed)
