"""What a round leaves behind: facts, decisions and state, as frozen data.

Facts are what was seen (they cannot be recomputed without the updates); a decision is
what :func:`parity_flwr.core.rounds.decide` made of them; a state is what it carries to
the next round. All are JSON-able through :mod:`parity_flwr.core.canonical`, so that
replaying a journal gives the same state, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = ("performance", "quality", "consistency", "social")
"""The four reputation dimensions, in the order of every 4-tuple here (P section 6.2)."""


class Verdict(StrEnum):
    """What became of one selected client in one round."""

    ACCEPTED = "accepted"  # the reply passed the gate and was weighed
    ABSTAINED = "abstained"  # a well-formed reply with no examples: no weight, no penalty
    QUARANTINED = "quarantined"  # the gate refused the reply; `reason` says why
    MISSING = "missing"  # no reply before the deadline


class RoundStatus(StrEnum):
    """Whether a round moved the model."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True)
class ReplyFacts:
    """What was seen of one selected client in one round.

    Figures that a rule measured on the update are None for a reply that the gate refused.
    """

    identity: str
    verdict: Verdict
    reason: str = ""
    node_id: int = 0
    fault: bool = False  # error, timeout or drop-out: an event for reliability only
    update_hash: str = ""  # SHA-256 of the canonical encoding of the returned arrays, hex
    public_key: str = ""  # Ed25519's or a wallet's, hex; empty if the reply is not signed
    signature: str = ""  # over core.signatures.update_payload, hex
    num_examples: int | None = None  # n_k as claimed by the client
    norm: float | None = None  # Euclidean norm of the update
    rho: float | None = None  # P-5
    deviation: float | None = None  # P-4, in [0, 1]
    figures: Mapping[str, float] = field(default_factory=dict)  # what else the rule measured
    quality: float | None = None  # validators' or held-out score in [0, 1]; None without one
    time_s: float = 0.0  # response time; virtual unless the run's clock is real


@dataclass(frozen=True, kw_only=True)
class ReplyDecision:
    """What the strategy made of one selected client in one round."""

    identity: str
    alpha: float = 0.0  # P-3
    beta: float = 0.0  # P-4
    penalty: float = 1.0  # P-6, the factor on alpha
    soundness: float = 0.0  # how far the reply counts as sound work, in [0, 1]
    weight: float = 0.0  # c_k of P-2
    dimensions: tuple[float, float, float, float] | None = None  # D_i of this round's event
    excluded: bool = False  # reputation below the threshold, or banned


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The reputation of one identity.

    ``scores`` are R_i in [0, 1000] in the order of :data:`DIMENSIONS` (P-7); the rest are
    exponentially decayed means that P-4, P-8 and P-10 need.
    """

    scores: tuple[float, float, float, float]
    composite: float  # P-12, in [0, 1000]
    rounds: int = 0  # rounds in which it was selected
    history: float = 1.0  # P-4 historical_performance
    success: float = 1.0  # P-8 success rate: decayed mean soundness
    response: float = 0.0  # P-8 mean response time, seconds; 0 = unknown
    attendance: float = 1.0  # P-8 uptime, P-10 reliability
    spread: float = 0.0  # P-10 Var: decayed mean of (1 - soundness)^2
    surprise: float = 0.0  # P-10 predictability: decayed mean of |soundness - expected|
    applied: float = 0.0  # its coefficient in the model's last step
    norm: float = 0.0  # P-10 stability: last update norm; 0 = unknown
    stability: float = 1.0  # P-10 stability: decayed mean of min/max of successive norms
    faults: int = 0
    quarantines: int = 0
    relapses: int = 0  # times it fell below the exclusion threshold
    owed: int = 0  # clean rounds in a row before it has weight again
    banned: bool = False
    public_key: str = ""  # the signing key bound to this identity, hex


@dataclass(frozen=True, kw_only=True)
class ReputationState:
    """Everything that reputation remembers between rounds."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    dimension_weights: tuple[float, float, float, float] = (0.25, 0.25, 0.25, 0.25)
    round: int = 0


@dataclass(frozen=True, kw_only=True)
class BallotFacts:
    """What one drawn validator said of the candidate model; an empty vote is an absence."""

    identity: str
    node_id: int = 0
    vote: str = ""  # "accept", "reject" or "abstain"; "" when no valid ballot came
    loss_rise: int | None = None  # by how much its own loss rose, in millionths
    reason: str = ""  # why there is no valid ballot
    public_key: str = ""  # hex
    signature: str = ""  # over core.signatures.ballot_payload, hex


@dataclass(frozen=True, kw_only=True)
class RoundFacts:
    """Everything :func:`parity_flwr.core.rounds.decide` may look at, besides the state."""

    round: int
    replies: tuple[ReplyFacts, ...]  # one per selected identity, sorted by identity
    actions: tuple[Action, ...] = ()  # bans and pardons that took effect before this round
    ballots: tuple[BallotFacts, ...] = ()  # one per drawn validator, sorted by identity
    candidate_hash: str = ""  # SHA-256 of the model that the validators saw, hex


@dataclass(frozen=True, kw_only=True)
class CommitteeDecision:
    """What the validators decided about the candidate model (P-14 to P-16)."""

    result: str  # "accept", "reject", "abstain" or "none" when no result carries
    accept: int  # capped weight behind each result, in millionths of reputation
    reject: int
    abstain: int
    total: int  # capped weight of the whole committee, absent members included
    dissenters: tuple[str, ...] = ()  # voted against their own scores
    absentees: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RoundDecision:
    """What a round decided."""

    status: RoundStatus
    reason: str = ""  # why it was rejected
    replies: tuple[ReplyDecision, ...] = ()  # in the order of the facts
    committee: CommitteeDecision | None = None  # None in a round without validators


@dataclass(frozen=True, kw_only=True)
class Action:
    """A person's decision about an identity, journalled with its reason."""

    kind: str  # "ban" or "unban"
    identity: str
    reason: str
    sequence: int = 0  # position in the journal; 0 until it is journalled


@dataclass(frozen=True, kw_only=True)
class RunHeader:
    """What is known when a run starts."""

    strategy: str
    inner: str
    config: Mapping[str, Any]  # the TrustConfig as plain data
    num_rounds: int
    seed: int | None
    model_hash: str  # of the initial model
    sketch_commitment: str  # SHA-256 of the secret seed of the update sketches, hex
    initial_state: ReputationState = field(default_factory=ReputationState)
    environment: Mapping[str, str] = field(default_factory=dict)  # mode, versions, run id


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """One round as it stands in the journal."""

    round: int
    base_hash: str  # SHA-256 of the model sent out, hex
    model_hash: str  # SHA-256 of the model after the round, hex
    facts: RoundFacts
    decision: RoundDecision
    state: ReputationState  # after the round
    metrics: Mapping[str, float] = field(default_factory=dict)  # aggregated training metrics
    note: str = ""  # why the model stayed although the round was accepted


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """Metrics of the model after a round; round 0 is the initial model."""

    round: int
    source: str  # "server" or "clients"
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a run needs to go on after this round. Arrays only, never code."""

    round: int
    model: Mapping[str, NDArray[Any]]
    inner: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # server optimiser
    memory: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # update sketches
    sketch_seed: bytes = b""
    client_state: bytes | None = None  # in-process engine only


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """Where a journal that already holds rounds stopped."""

    header: RunHeader
    state: ReputationState
    checkpoint: Checkpoint
    evaluated: frozenset[tuple[int, str]]  # (round, source) of the evaluations on record
