"""The hook of data attacks: the node's own configuration says that its labels are flipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

FLIP_LABELS = "parity-flip-labels"
"""Key of the node configuration; its value is the number of classes."""


def attacked_labels(labels: NDArray[np.int64], context: Context) -> NDArray[np.int64]:
    """Return ``classes - 1 - labels`` if the node's configuration asks for it, else labels.

    A client calls this on its training labels to take part in experiments with
    :class:`parity_flwr.clients.attacks.LabelFlip`; messages cannot set the configuration.

    Parameters
    ----------
    labels : ndarray of shape (n,), int64
        Classes, from 0.
    context : Context
        The node's context, as given to the client.

    Examples
    --------
    >>> from flwr.app import RecordDict
    >>> context = Context(1, 1, {"parity-flip-labels": 10}, RecordDict(), {})
    >>> attacked_labels(np.array([0, 3, 9]), context)
    array([9, 6, 0])
    """
    classes = context.node_config.get(FLIP_LABELS)
    return labels if classes is None else int(classes) - 1 - labels


def attacked_targets(y: NDArray[Any], context: Context, *, regression: bool) -> NDArray[Any]:
    """Return the labels, or for regression numbers mirrored between their extremes.

    Examples
    --------
    >>> from flwr.app import RecordDict
    >>> context = Context(1, 1, {"parity-flip-labels": 2}, RecordDict(), {})
    >>> attacked_targets(np.array([1.0, 2.0, 5.0]), context, regression=True)
    array([5., 4., 1.])
    """
    if not regression:
        return attacked_labels(np.asarray(y, np.int64), context)
    return y.min() + y.max() - y if FLIP_LABELS in context.node_config and len(y) else y
