"""What a run publishes of a round, as canonical JSON (:mod:`parity_flwr.core.canonical`).

A published round names its model, its scores and the published round before it by CID, so
that the newest CID commits to all that was ever published.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from parity_flwr.core.content.scores import ScoreList
from parity_flwr.core.economy.amounts import reputation_units
from parity_flwr.core.records import RoundRecord


@dataclass(frozen=True, kw_only=True)
class PublishedRound:
    """The round record as it is published: what it points to is stored before it is."""

    run_id: str
    round: int
    previous: str = ""  # CID of the round that was published before; empty for the first
    head: str = ""  # hash of the round's entry in the journal, hex; empty if there is none
    profile: str  # how the files are cut; the name of a unixfs.Profile
    model: str  # CID, safetensors
    scores: str  # CID, a ScoreList
    record: RoundRecord


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where a published round is; the record's CID leads to the others."""

    round: int
    record: str  # CID
    model: str  # CID
    scores: str  # CID
    reward_root: str  # as in the ScoreList and on chain


class PinState(StrEnum):
    """How far a pinning service has come (the API's own words)."""

    QUEUED = "queued"
    PINNING = "pinning"
    PINNED = "pinned"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class PinStatus:
    """What a pinning service says of one request."""

    request_id: str
    state: PinState
    cid: str
    name: str = ""


def scores_problem(scores: ScoreList, published: PublishedRound) -> str:
    """Return why a list is not the one of a published round, empty if it is.

    It has to be of that run and round, with the reputation of exactly the identities that
    the round's record has.
    """
    if (scores.run_id, scores.round) != (published.run_id, published.round):
        return "the scores are of another run or round"
    standings = published.record.state.standings
    if other := standings.keys() ^ {row.identity for row in scores.rows}:
        return f"{min(other)!r:.60} stands in only one of record and scores"
    for row in scores.rows:
        right = reputation_units(standings[row.identity].composite)
        if row.reputation != right:
            return f"{row.identity!r:.60} has the reputation {row.reputation}, not {right}"
    return ""
