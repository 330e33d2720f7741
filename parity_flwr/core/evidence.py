"""What the figures of one round say about each update: penalty and soundness (P-6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import Design, RobustnessConfig
from parity_flwr.core.records import ReplyFacts
from parity_flwr.core.response_evidence import response_factors
from parity_flwr.core.robustness import thresholds

MEMORY = "memory"
"""Figure: rho between memories, the decayed means of each client's sketched updates."""

DIRECTION = "direction"
"""Figure: cosine of a client's memory with the others', weighted by trust."""

BALANCE = "balance"
"""Figure: how one-sided a client's numbers are among the others', a decayed mean in [0, 2]."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """How one update fares against the others of its round.

    ``penalty`` is the factor on alpha (P-6); ``soundness`` in [0, 1] is how far the reply
    counts as sound work for reputation; ``share`` in (0, 1] is a factor on the weight alone,
    for updates that repeat each other.
    """

    penalty: float = 1.0
    soundness: float = 1.0
    share: float = 1.0


def weigh_evidence(
    replies: Sequence[ReplyFacts], config: RobustnessConfig
) -> tuple[Evidence, ...]:
    """Return the evidence on each accepted reply from its recorded figures.

    P-6 (Parity, Eq. 6) is the factor exp(-lambda max(0, rho - tau)) alone. *Decided*
    extensions beyond it: P-6 on the distance between memories too, and the worse of the two
    counts; a factor max(0, 1 - against/``opposed_at``) for a memory that points against the
    others' (a sign flip among small updates); one that falls from 1 to 0 over ``balance``
    for numbers that lie on the same side of everybody's for long (ALIE); and 0 for an
    update shorter than ``idle_share`` of the median (a free rider, whose rho is small).
    A figure that nobody measured is no evidence: factor 1. Fewer than ``min_replies``
    replies say nothing about each other: 1 for all.

    The same product is the soundness, so that what costs weight now costs reputation.
    ``Design.RESPONSE`` judges by other figures:
    :func:`parity_flwr.core.response_evidence.response_factors`.
    """
    if len(replies) < config.min_replies:
        return tuple(Evidence() for _ in replies)
    if config.design is Design.RESPONSE:
        columns = [each.tolist() for each in response_factors(replies, config)]
        return tuple(Evidence(*each) for each in zip(*columns, strict=True))
    norms = np.array([reply.norm or 0.0 for reply in replies])
    working = is_working(norms, config)
    factors = (
        _distance_factor(replies, working, config)
        * _direction_factor(replies, config)
        * _balance_factor(replies, config)
        * working
    )
    return tuple(Evidence(float(each), float(each)) for each in factors)


def is_working(norms: Values, config: RobustnessConfig) -> NDArray[np.bool_]:
    """Return which updates are long enough to be work, bool, shape (n,).

    If the median update is 0 nobody is told apart: a converged model moves nobody.
    """
    return np.asarray(norms >= config.idle_share * np.median(norms), np.bool_)


def penalty_among(
    values: Values, working: NDArray[np.bool_], config: RobustnessConfig
) -> Values:
    """Return exp(-lambda max(0, v - tau)), tau and lambda from the working ones' spread (P-6).

    Examples
    --------
    >>> values, working = np.array([1.0, 1.1, 0.9, 9.0]), np.ones(4, bool)
    >>> penalty_among(values, working, RobustnessConfig()).round(2).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    tau, rate = thresholds(values[working], config)
    over = np.maximum(0.0, values - tau).tolist()
    # Not np.exp: its last bit depends on the processor, and a replay must give the same bits.
    return np.array([math.exp(-rate * each) for each in over], np.float64)


def _distance_factor(
    replies: Sequence[ReplyFacts], working: NDArray[np.bool_], config: RobustnessConfig
) -> Values:
    rho = np.array([reply.rho or 0.0 for reply in replies])
    now = penalty_among(rho, working, config)
    known = working & np.array([MEMORY in reply.figures for reply in replies])
    if np.count_nonzero(known) < config.min_replies:
        return now
    memory = np.array([reply.figures.get(MEMORY, 0.0) for reply in replies])
    return np.minimum(now, np.where(known, penalty_among(memory, known, config), 1.0))


def _direction_factor(replies: Sequence[ReplyFacts], config: RobustnessConfig) -> Values:
    against = np.array([-reply.figures.get(DIRECTION, 1.0) for reply in replies])
    return np.clip(1 - against / config.opposed_at, 0.0, 1.0)


def _balance_factor(replies: Sequence[ReplyFacts], config: RobustnessConfig) -> Values:
    low, high = config.balance
    onesided = np.array([reply.figures.get(BALANCE, 0.0) for reply in replies])
    return np.clip((high - onesided) / (high - low), 0.0, 1.0)
