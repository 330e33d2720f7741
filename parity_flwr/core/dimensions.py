"""The four dimensions of reputation from recorded facts (P-8 to P-11).

Each function maps facts in [0, 1] to a score D_i in [0, 1]. What a network does not record
is passed as 1/2, the neutral value, never as a made-up one.
"""

from __future__ import annotations

import math

from parity_flwr.core.config import Four

NEUTRAL = 0.5
"""The score of a fact that nobody recorded."""


def _combine(weights: Four, facts: Four) -> float:
    bounded = [min(1.0, max(0.0, fact)) for fact in facts]
    total = math.fsum(w * fact for w, fact in zip(weights, bounded, strict=True))
    return min(1.0, total)


def bounded_ratio(value: float, reference: float) -> float:
    """Return min(2, value/reference)/2 in [0, 1]: 1/2 for an average participant.

    P-8 *decided*: the paper's ratio of response times is unbounded. A reference or value
    that is not positive is unknown and gives the neutral 1/2.

    Examples
    --------
    >>> bounded_ratio(3.0, 3.0), bounded_ratio(90.0, 3.0)
    (0.5, 1.0)
    """
    if value <= 0 or reference <= 0:
        return NEUTRAL
    return min(2.0, value / reference) / 2


def performance(
    success_rate: float, response: float, uptime: float, throughput: float, *, weights: Four
) -> float:
    """P-8 (Parity, Eq. 8): success rate, response-time ratio, uptime, throughput.

    ``response`` and ``throughput`` are already bounded ratios (:func:`bounded_ratio`).
    """
    return _combine(weights, (success_rate, response, uptime, throughput))


def quality(
    output_quality: float,
    conformance: float,
    data_handling: float,
    innovation: float,
    *,
    weights: Four,
) -> float:
    """P-9 (Parity, Eq. 9): output quality, conformance, data handling, innovation.

    *Decided* for federated learning: conformance is 1 if the message obeyed the schema,
    data handling is 1 if the privacy budget and the claimed n_k hold, innovation is the
    marginal contribution.
    """
    return _combine(weights, (output_quality, conformance, data_handling, innovation))


def consistency(
    variance: float,
    reliability: float,
    predictability: float,
    stability: float,
    *,
    weights: Four,
) -> float:
    """P-10 (Parity, Eq. 10): 1/(1 + Var), reliability, predictability, stability."""
    return _combine(weights, (1 / (1 + variance), reliability, predictability, stability))


def social(
    peer_rating: float = NEUTRAL,
    endorsements: float = NEUTRAL,
    mentorship: float = NEUTRAL,
    collaboration: float = NEUTRAL,
    *,
    weights: Four,
) -> float:
    """P-11 (Parity, Eq. 11): peer rating, endorsements, mentorship, collaboration.

    *Decided*: only from signed, recorded events; a network with none stays at 1/2.

    Examples
    --------
    >>> social(weights=(0.25, 0.25, 0.25, 0.25))
    0.5
    """
    return _combine(weights, (peer_rating, endorsements, mentorship, collaboration))
