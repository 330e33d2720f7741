"""The response design's arithmetic: agreement, echoes, answers to the model's step.

*Decided* throughout (the paper has none of it). An innovation is the change of a client's
update from its last one. Honest innovations are mostly sampling noise, so those of two
honest clients have nothing to do with each other, and on average they go against the
step that the model took in between; liars' do neither.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.recollection import cosine_matrix
from parity_flwr.core.sketch import shorten

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FEWEST = 4  # fewer voters agree by chance
_LEAST_TRUST = 1e-6
_FINEST = 1e-3  # cosines that differ by less are the same


def row_medians(values: Values, weights: Values) -> Values:
    """Return each row's weighted lower median, shape (n,); 0 for a row without weight.

    Examples
    --------
    >>> row_medians(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 1.0, 3.0]])).tolist()
    [3.0]
    """
    order = np.argsort(values, axis=1, kind="stable")
    through = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (through >= 0.5 * through[:, -1:]).argmax(axis=1)
    chosen = np.take_along_axis(values, order, axis=1)[np.arange(len(values)), middle]
    return np.asarray(np.where(through[:, -1] > 0, chosen, 0.0), np.float64)


def centre_and_spread(values: Values) -> tuple[float, float]:
    """Return the median and 1.4826 times the median distance to it; zeros for no values.

    Examples
    --------
    >>> centre_and_spread(np.array([0.0, 1.0, 5.0]))
    (1.0, 1.4826)
    """
    if not values.size:
        return 0.0, 0.0
    centre = float(np.median(values))
    return centre, 1.4826 * float(np.median(np.abs(values - centre)))


def in_spreads(values: Values, spread: float) -> Values:
    """Return the values over the spread, within 100 of 0; a small spread counts as 0.001.

    Examples
    --------
    >>> in_spreads(np.array([0.3, -0.1, 1.0]), 0.2).round(3).tolist()
    [1.5, -0.5, 5.0]
    """
    return np.asarray(np.clip(values / max(spread, _FINEST), -100.0, 100.0), np.float64)


def without_self(weights: Values) -> Values:
    """Return the weights as rows, each client's own left out, shape (n, n).

    Examples
    --------
    >>> without_self(np.array([1.0, 2.0])).tolist()
    [[0.0, 2.0], [1.0, 0.0]]
    """
    rows = np.tile(weights, (len(weights), 1))
    np.fill_diagonal(rows, 0.0)
    return rows


def agreement(sketches: Values, voters: Mask, share: Values) -> float:
    """Return the median voter's median cosine with the other voters, at least 0."""
    if np.count_nonzero(voters) < _FEWEST:
        return 0.0
    votes = (voters * share)[voters]
    cosines = cosine_matrix(shorten(sketches[voters]))
    medians = row_medians(cosines, without_self(votes))
    return max(0.0, float(row_medians(medians[None], votes[None])[0]))


def cosines(a: Values, b: Values) -> Values:
    """Return the cosine of each row of `a` with the same row of `b`, 0 for a zero row."""
    products = np.einsum("kj,kj->k", a, b)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    found = np.divide(products, lengths, out=np.zeros(len(a)), where=lengths > 0)
    return np.asarray(np.clip(found, -1.0, 1.0), np.float64)


def echo_shares(
    pairs: Values,
    known: Mask,
    *,
    voices: Mask,
    trust: Values,
    zone: tuple[float, float],
    spreads: float = 0.0,
) -> Values:
    """Return 1/(1 + the number of clients that a client's noise repeats), shape (n,).

    Two repeat each other as far as their cosine is over the usual one among the voices; a
    client less trusted than oneself counts less, and one without weight not at all.

    Parameters
    ----------
    pairs : ndarray of float64, shape (n, n)
        Mean cosines of innovations.
    known : ndarray of bool, shape (n, n)
        Which of them count; the diagonal does not.

    Examples
    --------
    >>> pairs = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> everybody, known = np.ones(3, bool), ~np.eye(3, dtype=bool)
    >>> trust = np.ones(3)
    >>> echo_shares(pairs, known, voices=everybody, trust=trust, zone=(0.1, 0.2)).tolist()
    [0.5, 0.5, 1.0]
    """
    among = known & np.outer(voices, voices)
    usual, spread = centre_and_spread(pairs[among])
    low, high = zone
    start = max(0.0, usual) + max(low, spreads * spread)
    echo = np.clip((pairs - start) / (high - low), 0.0, 1.0) * known
    weight = np.where(voices, np.maximum(trust, _LEAST_TRUST), 0.0)
    ratio = np.minimum(1.0, weight[None] / np.maximum(weight[:, None], _LEAST_TRUST))
    return np.asarray(1.0 / (1.0 + (echo * ratio).sum(axis=1)), np.float64)


def steps_of_others(latest: Values, applied: Values) -> Values:
    """Return for each client the others' part of the model's last step, shape (n, size).

    Examples
    --------
    >>> steps_of_others(np.array([[2.0], [4.0]]), np.array([0.5, 0.5])).tolist()
    [[2.0], [1.0]]
    """
    parts = applied[:, None] * latest
    return np.asarray(parts.sum(axis=0) - parts, np.float64)


def mean_rate(decay: float, counts: Values) -> Values:
    """Return (1 - decay)/(1 - decay^count): the newest's part of a decayed mean; 0 for none.

    Examples
    --------
    >>> mean_rate(0.5, np.array([0.0, 1.0, 2.0])).round(3).tolist()
    [0.0, 1.0, 0.667]
    """
    some = np.maximum(counts, 1.0)
    rate = (1.0 - decay) / (1.0 - decay**some) if decay < 1 else 1.0 / some
    return np.asarray(np.where(counts > 0, rate, 0.0), np.float64)
