"""What the response design's figures say about each update (stage B), from scalars alone.

*Decided* throughout, beyond P-6. A distance accuses nobody by itself: an honest minority is
far away in every round. It accuses together with a contradiction of the client's own past,
or of one client alone that the others' direction does not support. Opposition to the common
direction accuses, and so does a client that the model never serves and that grows louder,
unless so many are accused by these that they may well be right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.records import ReplyFacts
from parity_flwr.core.robustness import excess

OWN = "own"
"""Figure: cosine of the update with the mean of the client's earlier ones."""

OWN_DIRECTION = "own_direction"
"""Figure: cosine of the update with the client's direction memory."""

DIRECTION = "direction"
"""Figure: cosine of the client's direction memory with the others'."""

AUTHORITY = "authority"
"""Figure: how much the common direction is worth, in [0, 1]; the same for everybody."""

BALANCE = "balance"
"""Figure: how one-sided a client's numbers are among the others', a decayed mean."""

COMMON = "common"
"""Figure: median cosine of the client's innovations with the others'."""

SHARE = "share"
"""Figure: one over the number of clients whose noise is the same, this one included."""

RESPONSE = "response"
"""Figure: mean cosine of the client's innovation with the model's last step."""

ANSWERED = "answered"
"""Figure: how far the median response lies under 0, in spreads; the same for everybody."""

APART = "apart"
"""Figure: how far the common cosine lies under the median one, in spreads of them."""

LOUDNESS = "loudness"
"""Figure: the update's norm in medians, a decayed mean."""

GROWTH = "growth"
"""Figure: mean norm in medians, over that of the client's first updates."""

SERVICE = "service"
"""Figure: what the others' steps did for the client's updates, over the median client's."""

SERVED = "served"
"""Figure: the median cosine of a client's updates with the others' steps, at least 0."""

ROOT = "root"
"""Figure: cosine of a client's mean update with that of the server's root data."""

DISTANCE = "distance"
"""Figure: distance of the update to the round's geometric median."""

COEFFICIENT = "coefficient"
"""Figure: the update's coefficient in the geometric median."""

Values = NDArray[np.float64]

_DOUBTED = 0.95  # a factor below this accuses
_SOUND = 0.5


class Factors(NamedTuple):
    """Each reply's factor on weight, on reputation, and on weight for echoes; (n,) each."""

    penalty: Values
    soundness: Values
    share: Values


def response_factors(replies: Sequence[ReplyFacts], config: RobustnessConfig) -> Factors:
    """Return the factors of n replies, n >= ``min_replies``; no figure, no accusation."""
    norms = np.array([reply.norm or 0.0 for reply in replies])
    rho = np.array([reply.rho or 0.0 for reply in replies])
    working = is_at_work(norms, config)
    z = excess(rho, floor=config.spread_floor, among=working)
    cost = config.rate_spreads * np.maximum(0.0, z - config.tau_spreads)
    single = _single_factors(replies, norms, working, cost, config)
    directed, spared = _direction_factors(replies, single, cost, config)
    rules = config.response
    return Factors(
        penalty=single * np.maximum(directed, rules.spared_penalty * spared),
        soundness=single * np.maximum(directed, rules.spared_soundness * spared),
        share=_figure(replies, SHARE, 1.0),
    )


def is_at_work(norms: Values, config: RobustnessConfig) -> NDArray[np.bool_]:
    """Return which updates are long enough to be work, bool, shape (n,)."""
    return np.asarray(norms >= config.response.idle_share * np.median(norms), np.bool_)


def in_medians(norms: Values, working: NDArray[np.bool_]) -> Values:
    """Return the norms over the working ones' median, 1 where that is 0."""
    median = float(np.median(norms[working]))
    if median <= 0:
        return np.ones(len(norms))
    with np.errstate(over="ignore"):  # too loud for a number is loud
        return np.asarray(norms / median, np.float64)


def rising(values: Values, zone: tuple[float, float]) -> Values:
    """Return 0 below the zone, 1 above it, straight in between.

    Examples
    --------
    >>> rising(np.array([0.0, 0.25, 1.0]), (0.2, 0.3)).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = zone
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0), np.float64)


def _single_factors(
    replies: Sequence[ReplyFacts],
    norms: Values,
    working: NDArray[np.bool_],
    cost: Values,
    config: RobustnessConfig,
) -> Values:
    """Return what each reply's own figures leave of it, before the common direction."""
    rules, loudness = config.response, in_medians(norms, working)
    turned = 1 - rising(_figure(replies, OWN_DIRECTION, 1.0), rules.turning)
    authority = _figure(replies, AUTHORITY, 0.0)
    contradiction = np.maximum(
        1 - rising(_figure(replies, OWN, 1.0), rules.contradiction), authority * turned
    )
    # Without a common direction honest clients lie far to one side of each other too.
    one_sided = _figure(replies, BALANCE, 0.0) - rules.leeway * (1 - authority)
    return np.asarray(
        _decayed(cost * contradiction)
        * (1 - rising(one_sided, rules.balance))
        * _common_factor(replies, config)
        * (1 - rising(loudness, rules.loud))
        * _response_factor(replies, config)
        * rising(_figure(replies, ROOT, 1.0), rules.rooted)
        * working,
        np.float64,
    )


def _common_factor(replies: Sequence[ReplyFacts], config: RobustnessConfig) -> Values:
    """Return 0 for noise against the others', where it is not as usual among them."""
    rules = config.response
    against = 1 - rising(_figure(replies, COMMON, 1.0), rules.common)
    return 1 - against * rising(_figure(replies, APART, math.inf), rules.apart)


def _response_factor(replies: Sequence[ReplyFacts], config: RobustnessConfig) -> Values:
    """Return 0 for whom a step makes want more of it, where the others want less."""
    rules = config.response
    more = rising(_figure(replies, RESPONSE, -1.0), rules.response)
    return 1 - more * rising(_figure(replies, ANSWERED, math.inf), rules.answered)


def _direction_factors(
    replies: Sequence[ReplyFacts], single: Values, cost: Values, config: RobustnessConfig
) -> tuple[Values, float]:
    """Return the factor for the common direction, and how far its opponents are spared."""
    rules, sound = config.response, single > _SOUND
    direction = _figure(replies, DIRECTION, 1.0)
    authority = _figure(replies, AUTHORITY, 0.0)
    lacking = 1 - rising(direction, rules.unsupported)
    supported = 1 - authority * lacking * (1 - _decayed(cost))
    doubted = np.count_nonzero(supported[sound] < _DOUBTED)
    many = rising(np.array(float(doubted)), rules.outliers)
    opposed = 1 - authority * rising(-direction, rules.opposed)
    opposed = np.minimum(opposed, _service_factor(replies, config))
    factor = np.minimum(opposed, supported + (1 - supported) * many)
    opponents = np.count_nonzero(factor[sound] < _DOUBTED) / max(1, int(sound.sum()))
    return factor, float(rising(np.array(opponents), rules.opponents))


def _service_factor(replies: Sequence[ReplyFacts], config: RobustnessConfig) -> Values:
    """Return 0 for a loud client for whom the model, which serves the others, does nothing."""
    rules = config.response
    believed = rising(_figure(replies, SERVED, 0.0), rules.common_cause)
    unserved = 1 - rising(_figure(replies, SERVICE, 1.0), rules.unserved)
    urgent = rising(_figure(replies, LOUDNESS, 1.0), rules.urgent)
    growing = rising(_figure(replies, GROWTH, 1.0), rules.growing)
    return np.asarray(1 - believed * unserved * urgent * growing, np.float64)


def _decayed(cost: Values) -> Values:
    # Not np.exp: its last bit depends on the processor, and a replay must give the same bits.
    return np.array([math.exp(-each) for each in cost.tolist()], np.float64)


def _figure(replies: Sequence[ReplyFacts], name: str, unknown: float) -> Values:
    return np.array([reply.figures.get(name, unknown) for reply in replies], np.float64)
