"""What a chain grants by now: the newest round whose root counts, with its proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.chains.desk import RunDesk
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


def granted(desk: RunDesk, chain: Chain, logs: Sequence[ChainLog]) -> Granted | None:
    """Return the newest round that the ledger says is active, None if none is.

    Raises
    ------
    ContentError
        The published score list of that round does not give its root.
    """
    built = artifact("RoundLedger")
    for log in reversed(logs):
        mine = log.address == desk.deployment.ledger
        event = decode_event(built, "RoundRecorded", log) if mine else None
        if event is None:
            continue
        key = _key(event)
        if desk.ask(chain, "RoundLedger", "isActive", key.values, event["rewardRoot"]):
            scores = desk.scores(key.round)
            if scores.tree.root != event["rewardRoot"]:
                raise ContentError(
                    f"the score list of round {key.round} needs to give the root on chain",
                    came="another root",
                    action="run 'parity verify', and copy the list from whoever published it",
                )
            return Granted(key, scores)
    return None


def active_rounds(desk: RunDesk, chain: Chain, logs: Sequence[ChainLog]) -> dict[int, RoundKey]:
    """Return every round whose root counts by now."""
    built, found = artifact("RoundLedger"), dict[int, RoundKey]()
    for log in logs:
        mine = log.address == desk.deployment.ledger
        event = decode_event(built, "RoundRecorded", log) if mine else None
        if event is not None:
            key = _key(event)
            if desk.ask(chain, "RoundLedger", "isActive", key.values, event["rewardRoot"]):
                found[key.round] = key
    return found


def claimed(desk: RunDesk, logs: Sequence[ChainLog]) -> dict[bytes, int]:
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
