"""The validators' score of single updates: output quality that no client reports itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centre import weighted_median

Values = NDArray[np.float64]

_SPREADS = 3.0
_FLOOR = 0.15
_NORMAL = 1.4826


def review_quality(
    identities: Sequence[str], rises: Mapping[str, Values], weights: Mapping[str, float]
) -> dict[str, float]:
    """Return each update's quality in [0, 1]: what the weighted median validator thinks.

    A validator's opinion of update k is 1 - clip((rise_k - median)/(3 MAD'), 0, 1), with
    median and MAD' over the round's updates on its own data: how unusually much worse k
    makes its model. Nobody judges itself. *Decided*: P-4 names "output quality" and gives no
    formula; a loss has no scale, so the round's own spread is the scale.

    Parameters
    ----------
    identities : sequence of str
        Who sent each of the m updates.
    rises : mapping from validator to ndarray of float64, shape (m,)
        By how much each update raises the validator's loss.
    weights : mapping from validator to float
        Reputation, >= 0.

    Returns
    -------
    dict of str to float
        By identity; an update that nobody else judged is left out.

    Examples
    --------
    >>> rises = {"v": np.array([-0.1, -0.1, -0.12, 5.0])}
    >>> review_quality(["a", "b", "c", "d"], rises, {"v": 1.0})
    {'a': 1.0, 'b': 1.0, 'c': 1.0, 'd': 0.0}
    """
    opinions = {name: _opinion(values) for name, values in rises.items()}
    quality = {}
    for k, identity in enumerate(identities):
        judges = [name for name in opinions if name != identity and weights[name] > 0]
        if judges:
            seen = np.array([opinions[name][k] for name in judges])
            quality[identity] = weighted_median(seen, np.array([weights[n] for n in judges]))
    return quality


def _opinion(rises: Values) -> Values:
    median = float(np.median(rises))
    deviation = _NORMAL * float(np.median(np.abs(rises - median)))
    scale = max(deviation, _FLOOR * abs(median), 1e-9)
    return np.asarray(1 - np.clip((rises - median) / (_SPREADS * scale), 0, 1), np.float64)
