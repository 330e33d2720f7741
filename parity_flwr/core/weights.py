"""From reputation, quality and example counts to the weights of a round (P-2 to P-4).

The caps bound what one client, one claim or one crowd can have of a round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import Formula, WeightConfig
from parity_flwr.errors import ConfigError

Values = NDArray[np.float64]

_ROUNDING = 1e-9
_LAST_DIGITS = 1e-12  # a cap exceeded by this share of itself is kept


def trust_weight(
    scores: Sequence[float], dimension_weights: Sequence[float], config: WeightConfig
) -> float:
    """Return alpha, the trust in a client by its reputation. P-3 (Parity, Eq. 3).

    *Decided*: alpha = sigmoid(slope * sum_i v_i r_i) with r_i = (R_i - 500) / 500, so that
    a newcomer's alpha is 1/2. ``Formula.PAPER`` feeds R_i in [0, 1000] to the sigmoid as
    printed, which saturates: alpha is 1 for everybody but the very worst.

    Parameters
    ----------
    scores : sequence of 4 floats
        R_i in [0, 1000].
    dimension_weights : sequence of 4 floats
        v_i >= 0 with sum 1.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> even = (0.25, 0.25, 0.25, 0.25)
    >>> trust_weight((500, 500, 500, 500), even, WeightConfig())
    0.5
    >>> trust_weight((500, 500, 500, 500), even, WeightConfig(formula=Formula.PAPER))
    1.0
    """
    pairs = list(zip(dimension_weights, scores, strict=True))
    if config.formula is Formula.PAPER:
        return _sigmoid(math.fsum(v * r for v, r in pairs))
    return _sigmoid(config.slope * math.fsum(v * (r - 500.0) / 500.0 for v, r in pairs))


def quality_weight(deviation: float, quality: float | None, history: float) -> float:
    """Return beta = (1 - deviation) * quality * history. P-4 (Parity, Eq. 4).

    Parameters
    ----------
    deviation : float
        consensus_deviation in [0, 1].
    quality : float or None
        output_quality in [0, 1]; *decided*: 1 if nobody scored the update, and never a
        number that the client reports about itself.
    history : float
        historical_performance in [0, 1].

    Raises
    ------
    ConfigError
        If a factor is outside [0, 1] by more than rounding, or NaN.

    Examples
    --------
    >>> quality_weight(0.5, 0.5, 1.0), quality_weight(0.0, None, 1.0)
    (0.25, 1.0)
    """
    quality = 1.0 if quality is None else quality
    return (
        (1.0 - _unit("consensus_deviation", deviation))
        * _unit("output_quality", quality)
        * _unit("historical_performance", history)
    )


def cap_examples(examples: NDArray[np.generic], *, factor: float) -> Values:
    """Return n_k, at most `factor` times the median of the positive ones, shape (n,).

    A claim of 2^31 examples is honest for a data centre and a lie for a phone; the round's
    median bounds what it can buy. Zeros (abstentions) stay zero and do not move the median.

    Examples
    --------
    >>> cap_examples(np.array([0, 10, 10, 1000]), factor=4.0).tolist()
    [0.0, 10.0, 10.0, 40.0]
    """
    counts = _amounts("examples", examples)
    positive = counts[counts > 0]
    return np.minimum(counts, factor * np.median(positive)) if positive.size else counts


def combine(
    alpha: NDArray[np.generic],
    beta: NDArray[np.generic],
    examples: NDArray[np.generic],
    *,
    formula: Formula = Formula.DECIDED,
) -> Values:
    """Return the weights c_k, float64, shape (n,). P-2 (Parity, Eq. 2).

    *Decided*: c_k = alpha_k beta_k n_k / sum_j alpha_j beta_j n_j, since the paper's
    appendix B needs a sum of 1. ``Formula.PAPER`` is Eq. 2 as printed, not normalised:
    c_k = alpha_k beta_k n_k / n with n = sum_j n_j. If every product is 0, so is every
    weight, and the round is to be rejected.

    Raises
    ------
    ConfigError
        If the three differ in shape or hold anything but finite numbers >= 0.

    Examples
    --------
    >>> alpha, beta, examples = np.array([0.5, 0.5]), np.array([1.0, 0.5]), np.array([10, 20])
    >>> combine(alpha, beta, examples).tolist()
    [0.5, 0.5]
    >>> combine(alpha, beta, examples, formula=Formula.PAPER).round(4).tolist()
    [0.1667, 0.1667]
    """
    counts = _amounts("examples", examples)
    product = _amounts("alpha", alpha, counts.size) * _amounts("beta", beta, counts.size)
    product *= counts
    total = counts.sum() if formula is Formula.PAPER else product.sum()
    return product / total if total > 0 else np.zeros(counts.size)


def cap_shares(weights: NDArray[np.generic], *, max_share: float) -> Values:
    """Return the weights with no share of their total above max(max_share, 1/m), shape (n,).

    m counts the positive weights. What is cut off goes to the others in proportion (water
    filling), so the total, the order and the zeros stay. *Decided* with P-2.

    Examples
    --------
    >>> cap_shares(np.array([6.0, 3.0, 1.0, 0.0]), max_share=0.4).tolist()
    [4.0, 4.0, 2.0, 0.0]
    """
    shares = _amounts("weights", weights)
    total, positive = shares.sum(), int(np.count_nonzero(shares))
    cap = max(max_share, 1.0 / max(positive, 1)) * total
    capped = np.zeros(shares.size, bool)
    while (over := shares > cap * (1.0 + _LAST_DIGITS)).any():
        # Full ones stay full; the others grow and may fill up in their turn. At cap =
        # total / m the mean of the others is the cap, so they are never all over it.
        capped |= over
        shares[capped] = cap
        shares[~capped] = _scaled(shares[~capped], total - cap * np.count_nonzero(capped))
    return shares


def cap_probation(
    weights: NDArray[np.generic], newcomers: NDArray[np.bool_], *, share: float
) -> Values:
    """Return the weights with the newcomers' together at most `share` of the total. P-3.

    *Decided*: or a crowd of new identities buys the round. The total stays, and so do the
    proportions within each group. If nobody but newcomers has weight, nothing changes.

    Parameters
    ----------
    newcomers : ndarray of bool, shape (n,)
        Whose identity is on probation.

    Examples
    --------
    >>> cap_probation(np.array([1.0, 2.0, 2.0]), np.array([False, True, True]), share=0.2)
    array([4. , 0.5, 0.5])
    """
    amounts = _amounts("weights", weights)
    young = np.asarray(newcomers, bool)
    total, theirs = amounts.sum(), amounts[young].sum()
    if theirs <= share * total * (1.0 + _LAST_DIGITS) or not amounts[~young].any():
        return amounts
    amounts[young] = _scaled(amounts[young], share * total)
    amounts[~young] = _scaled(amounts[~young], (1.0 - share) * total)
    return amounts


def bound_shares(
    weights: NDArray[np.generic],
    newcomers: NDArray[np.bool_],
    *,
    max_share: float,
    probation_share: float,
) -> Values:
    """Return the weights under both caps at once, the probation first.

    Applied one after the other they undo each other: what :func:`cap_shares` cuts from a
    veteran would lift the newcomers above their share. So what is cut stays in its group,
    and what the group cannot take either is lost: the sum falls, and the rest of the round
    belongs to the old model. The largest share is max(max_share, 1/m), m positive weights.

    Examples
    --------
    >>> weights, young = np.array([7.0, 1.0, 2.0]), np.array([False, False, True])
    >>> bound_shares(weights, young, max_share=0.5, probation_share=0.2).tolist()
    [5.0, 3.0, 2.0]
    >>> weights, young = np.array([8.0, 1.0, 1.0]), np.array([False, True, True])
    >>> bound_shares(weights, young, max_share=0.5, probation_share=0.2).tolist()
    [5.0, 1.0, 1.0]
    """
    shares = cap_probation(weights, newcomers, share=probation_share)
    total = shares.sum()
    for group in (newcomers, ~newcomers):
        part = shares[group].sum()
        if part > max_share * total:
            shares[group] = cap_shares(shares[group], max_share=max_share * total / part)
    members = max(int(np.count_nonzero(shares)), 1)
    return np.asarray(np.minimum(shares, max(max_share, 1 / members) * total), np.float64)


def _scaled(amounts: Values, total: float) -> Values:
    """Return the amounts in the same proportions with another total."""
    top = amounts.max(initial=0.0)
    if top == 0:
        return amounts
    parts = amounts / top  # first, so that amounts near 1e-300 do not overflow the quotient
    return np.asarray(parts * (total / parts.sum()), np.float64)


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def _unit(name: str, value: float) -> float:
    """Return a factor of [0, 1]; an excess by rounding is cut, anything else refused."""
    if not -_ROUNDING <= value <= 1.0 + _ROUNDING:
        raise ConfigError(
            f"{name} needs a number from 0 to 1", came=repr(value), action="check its source"
        )
    return min(max(float(value), 0.0), 1.0)


def _amounts(name: str, values: NDArray[np.generic], size: int | None = None) -> Values:
    """Return a float64 copy of finite numbers >= 0, shape (n,)."""
    amounts = np.array(values, np.float64)
    expected = amounts.size if size is None else size
    if amounts.shape != (expected,) or not np.all(np.isfinite(amounts) & (amounts >= 0)):
        raise ConfigError(
            f"{name} needs {expected} finite numbers >= 0",
            came=f"{amounts.tolist()}",
            action="check its source",
        )
    return amounts
