"""From evidence and reputation to each client's share of a round (P-2 to P-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centring import pull_to_centre
from parity_flwr.core.config import Design, TrustConfig
from parity_flwr.core.evidence import Evidence
from parity_flwr.core.records import ReplyDecision, ReplyFacts, ReputationState, Standing
from parity_flwr.core.reputation import is_excluded, standing_of
from parity_flwr.core.weights import (
    bound_shares,
    cap_examples,
    combine,
    quality_weight,
    trust_weight,
)

Vector = NDArray[np.float64]

_NEGLIGIBLE = 1e-6  # a share this far under the largest must not be lifted by the caps


def share_weights(
    state: ReputationState,
    replies: Sequence[ReplyFacts],
    evidence: Sequence[Evidence],
    config: TrustConfig,
) -> Mapping[str, ReplyDecision]:
    """Return each accepted reply's alpha, beta and weight c_k, by identity.

    c_k = alpha_k beta_k n_k / sum_j alpha_j beta_j n_j with n_k capped at
    ``examples_factor`` medians, young identities held to ``probation_share`` together, and
    no share above ``max_share`` (P-2, P-3, P-4). An excluded or banned client has c_k = 0,
    and so has one whose share is under a millionth of the largest: the caps, which hand on
    what they cut, must not lift it. The weights sum to 1, or to 0 if every product is 0;
    the paper's un-normalised Eq. 2 sums to less than 1. With ``Design.RESPONSE`` the deviation
    of P-4 costs no weight; instead far updates are pulled to the round's centre.
    """
    if not replies:
        return {}
    standings = [standing_of(state, r.identity, config.reputation) for r in replies]
    alpha = np.array([client_alpha(each, state, config) for each in standings])
    alpha *= np.array([each.penalty for each in evidence])
    pairs = zip(replies, standings, strict=True)
    beta = np.array([_beta(*pair, config=config) for pair in pairs])
    heard = alpha * np.array([each.share for each in evidence])
    weights = _weights(replies, standings, heard, beta, config)
    return {
        reply.identity: ReplyDecision(
            identity=reply.identity,
            alpha=float(alpha[k]),
            beta=float(beta[k]),
            penalty=evidence[k].penalty,
            soundness=evidence[k].soundness,
            weight=float(weights[k]),
            excluded=is_excluded(standings[k], config.reputation),
        )
        for k, reply in enumerate(replies)
    }


def client_alpha(standing: Standing, state: ReputationState, config: TrustConfig) -> float:
    """Return alpha by reputation alone (P-3), 0 for an excluded or banned client."""
    if is_excluded(standing, config.reputation):
        return 0.0
    return trust_weight(standing.scores, state.dimension_weights, config=config.weights)


def _beta(reply: ReplyFacts, standing: Standing, *, config: TrustConfig) -> float:
    quality = 1.0 if reply.quality is None else reply.quality
    counted = config.robustness.design is Design.NEIGHBOUR
    deviation = reply.deviation or 0.0 if counted else 0.0
    return quality_weight(deviation, quality, standing.history)


def _weights(
    replies: Sequence[ReplyFacts],
    standings: Sequence[Standing],
    alpha: Vector,
    beta: Vector,
    config: TrustConfig,
) -> Vector:
    claimed = np.array([reply.num_examples or 0 for reply in replies], dtype=np.float64)
    examples = cap_examples(claimed, factor=config.weights.examples_factor)
    rules = config.reputation
    young = np.array([_proven(each) < rules.probation_rounds for each in standings])
    if config.robustness.design is Design.RESPONSE:
        # Liars are found within rounds; until then many claimed examples must not carry them.
        examples = np.where(young, cap_examples(claimed, factor=1.0), examples)
    shares = combine(alpha, beta, examples, formula=config.weights.formula)
    shares = _bounded(_without_negligible(shares), young, config)
    if config.robustness.design is Design.NEIGHBOUR:
        return shares
    return _bounded(pull_to_centre(shares, replies, config.robustness), young, config)


def _bounded(shares: Vector, young: NDArray[np.bool_], config: TrustConfig) -> Vector:
    return bound_shares(
        shares,
        young,
        max_share=config.weights.max_share,
        probation_share=config.reputation.probation_share,
    )


def _proven(standing: Standing) -> int:
    """Return the rounds that count as age: those in which a reply came and passed the gate."""
    return standing.rounds - standing.faults - standing.quarantines


def _without_negligible(shares: Vector) -> Vector:
    """Return the shares with the same total and nothing far under the largest."""
    kept = np.where(shares < _NEGLIGIBLE * shares.max(initial=0.0), 0.0, shares)
    if np.array_equal(kept, shares):
        return shares
    return np.asarray(kept * (shares.sum() / kept.sum()), np.float64)
