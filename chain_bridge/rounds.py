"""Rounds as transactions of the RoundLedger."""

from __future__ import annotations

from dataclasses import dataclass

from parity_flwr.chain_bridge.calls import encode_call
from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.core.anchoring import Intent

ROUND_GAS = 200_000
"""Limit of a record's gas; measured: 71,000 to 107,000 whatever the number of clients."""

# Selector, the struct's offset, its round: then comes the state of the round before.
_PREVIOUS = 4 + 32 + 32
_UNKNOWN = bytes(32)


@dataclass(frozen=True, kw_only=True)
class RoundAnchor:
    """What one round says on chain; CIDs are bytes, 1 to 64 of them."""

    round: int
    model_hash: bytes  # SHA-256 of the model in its canonical encoding
    reward_root: bytes
    total: int  # sum of all cumulative rewards, in units of 1e-18 token
    model_cid: bytes
    scores_cid: bytes

    @property
    def key(self) -> str:
        """The name of its wish in the outbox."""
        return f"round/{self.round}"


def round_intent(anchor: RoundAnchor, *, ledger: str) -> Intent:
    """Return the wish to record a round; :class:`RoundPremise` fills in the state before."""
    record = (
        anchor.round,
        _UNKNOWN,
        anchor.model_hash,
        anchor.reward_root,
        anchor.total,
        anchor.model_cid,
        anchor.scores_cid,
    )
    return Intent(
        key=anchor.key,
        to=ledger,
        data=encode_call(artifact("RoundLedger"), "recordRound", (record,)),
        gas=ROUND_GAS,
        round=anchor.round,
    )


class RoundPremise:
    """Fills in the state of the round before, which holds the time of its block.

    So rounds are signed one after the other, each when the one before is in a block, and a
    round that a reorganisation moved to another block changes what the next one must say.

    Parameters
    ----------
    chain : Chain
    ledger : str, keyword-only
        The RoundLedger's address.
    """

    def __init__(self, chain: Chain, *, ledger: str) -> None:
        self._chain = chain
        self._ledger = ledger

    def data(self, intent: Intent) -> bytes | None:
        """Return the data with the state of the round before; None while there is none."""
        if intent.round is None or intent.to != self._ledger:
            return intent.data
        question = encode_call(artifact("RoundLedger"), "stateOf", (intent.round - 1,))
        state = self._chain.call(Call(to=self._ledger, data=question))
        if len(state) != 32 or state == _UNKNOWN:
            return None
        return intent.data[:_PREVIOUS] + state + intent.data[_PREVIOUS + 32 :]
