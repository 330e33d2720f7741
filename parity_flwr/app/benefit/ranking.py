"""Metrics of scores for two classes, undefined where they say nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.metrics import area_under_curve

Scores = NDArray[np.float64]
Positive = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A named figure of scores against the truth; more is better.

    Parameters
    ----------
    name : str
        In tables and JSON.
    formula : callable
        (scores of shape (n,), positive of shape (n,)) -> float; only asked where both
        classes occur.
    """

    name: str
    formula: Callable[[Scores, Positive], float]

    def __call__(self, scores: Scores, positive: Positive) -> float | None:
        """Return the figure; None where only one class occurs, of which none can be said.

        Examples
        --------
        >>> AUC(np.array([0.2, 0.9]), np.array([False, True]))
        1.0
        >>> AUC(np.array([0.2, 0.9]), np.array([True, True])) is None
        True
        """
        count = int(np.count_nonzero(positive))
        return self.formula(scores, positive) if 0 < count < len(positive) else None


def average_precision(scores: Scores, positive: Positive) -> float:
    """Return the mean, over the positives, of the precision at each one's score.

    The area under the precision-recall curve as steps, without interpolation; rows with
    equal scores are taken together. By chance it is the share of positives.

    Examples
    --------
    The positives stand at places 1 and 3: (1/1 + 2/3) / 2.

    >>> round(average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])), 4)
    0.8333
    """
    values, places = np.unique(-scores, return_inverse=True)
    rows = np.cumsum(np.bincount(places, minlength=len(values)))
    hits = np.bincount(places, weights=positive, minlength=len(values))
    precision = np.cumsum(hits) / rows
    return float((precision * hits).sum() / hits.sum())


AUC: Final = Metric(name="AUC", formula=area_under_curve)
"""The area under the ROC curve: the chance that a positive scores above a negative."""

AVERAGE_PRECISION: Final = Metric(name="average precision", formula=average_precision)
"""For rare positives: see :func:`average_precision`."""
