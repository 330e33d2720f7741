"""The names that server and clients must spell alike in their messages.

Strategies and clients do not import each other; what they agree on stands here once.
"""

from typing import Final

IDENTITY_ACTION: Final = "parity_identity"
"""Action of the query that asks a client who it is."""

PARITY_RECORD: Final = "parity"
"""The ConfigRecord in which a client says who it is, signs, and votes."""

PARTITION_ID: Final = "partition-id"
PUBLIC_KEY: Final = "public-key"
SIGNATURE: Final = "signature"

CHARGES: Final = "charges"
"""In the same record: what the client charged to its privacy ledger for this reply."""

RUN: Final = "parity-run"
"""Configuration key: the run's id, which signatures bind."""

ROUND: Final = "server-round"
"""Configuration key: Flower's own name of the round."""

RESUME: Final = "parity-resume"
"""Run config key: the run to continue, by its id where the ServerApp runs."""

REPUTATION_FROM: Final = "parity-reputation-from"
"""Run config key: the run whose reputation to start with, by its id there."""

CANDIDATES: Final = "parity-candidates"
"""Configuration key of a validation request: how many candidate models it holds."""

TOLERANCE: Final = "parity-tolerance"
"""Configuration key: a loss that rises by less than this (millionths) is good enough."""

BASE_RECORD: Final = "parity-base"
VOTE: Final = "vote"
LOSS_RISES: Final = "loss-rises"

TREE_SCORES: Final = "parity-tree-scores"
"""Configuration key of an evaluation that asks for each tree's loss: how many trees."""

TREE_LOSSES: Final = "tree-losses"
"""Metric of the answer: the losses as bytes, little-endian float32 in the trees' order."""


SECAGG_RECORD: Final = "parity-secagg"
"""The ConfigRecord of a stage of secure aggregation, in messages and replies."""

SECAGG_STAGE: Final = "ask"
ADVERTISE: Final = "advertise"
SHARE: Final = "share"
MASK: Final = "mask"
CONFIRM: Final = "confirm"
UNMASK: Final = "unmask"

MASKED_ARRAY: Final = "masked"
"""The one array of a masked reply: uint32, the update's words and two more."""

EXTRA_WORDS: Final = 2
"""After the update: the client's weight, and how many of its numbers were clipped."""


def candidate_record(index: int) -> str:
    """Return the name of the ArrayRecord of one candidate model.

    Examples
    --------
    >>> candidate_record(0)
    'parity-candidate-0'
    """
    return f"parity-candidate-{index}"
