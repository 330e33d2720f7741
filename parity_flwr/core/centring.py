"""Weights with every update's reach bounded: what is too far is pulled to the centre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.records import ReplyFacts
from parity_flwr.core.response_evidence import COEFFICIENT, DISTANCE, SHARE
from parity_flwr.core.response_figures import row_medians

Values = NDArray[np.float64]


def pull_to_centre(
    weights: Values, replies: Sequence[ReplyFacts], config: RobustnessConfig
) -> Values:
    """Return the weights c_k after clipping around the geometric median. *Decided*.

    z + sum_k w_k f_k (delta_k - z) with f_k = min(1, ``reach`` m / r_k), where r_k is the
    distance to the centre z = sum_k lambda_k delta_k and m the median distance of those
    with weight, echoes sharing one voice. It is
    a weighted sum again: c_k = w_k f_k + (sum w - sum w f) lambda_k. Who has no weight
    has none in z either. Without the centre's figures the weights stay.
    """
    if not all(DISTANCE in each.figures and COEFFICIENT in each.figures for each in replies):
        return weights
    far = np.array([each.figures[DISTANCE] for each in replies], np.float64)
    centre = np.array([each.figures[COEFFICIENT] for each in replies], np.float64)
    centre = np.where(weights > 0, np.maximum(centre, 0.0), 0.0)
    if centre.sum() == 0:
        return weights
    # Not the weights: who claims many examples must not say how far away is usual.
    heads = np.array([each.figures.get(SHARE, 1.0) for each in replies]) * (weights > 0)
    bound = config.response.reach * float(row_medians(far[None], heads[None])[0])
    kept = weights * np.divide(bound, far, out=np.ones_like(far), where=far > bound)
    return np.asarray(kept + (weights.sum() - kept.sum()) * centre / centre.sum(), np.float64)
