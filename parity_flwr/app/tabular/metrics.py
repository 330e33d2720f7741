"""Metrics that fit the task, on rows that no client has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import MissingExtraError

Values = NDArray[np.float64]

CLASS_METRICS = ("accuracy", "auc", "f1", "average_precision", "loss")
NUMBER_METRICS = ("r2", "rmse", "mae")


def class_metrics(shares: Values, y: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy, AUC, F1, average precision and cross-entropy, by scikit-learn.

    With two classes the second one is the positive one. With more, AUC and average
    precision are means over each class that occurs against the rest, and F1 is the mean over
    the classes that occur among labels or answers. What cannot be computed, because a class
    is not there, is left out, and :func:`metric_notes` says why.

    Parameters
    ----------
    shares : ndarray of float64, shape (n, classes)
        Probabilities.
    y : ndarray of int64, shape (n,)

    Returns
    -------
    dict
        Empty without rows, or if a probability is not finite.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> class_metrics(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))["auc"]
    1.0
    """
    metrics = sklearn_metrics()
    if not len(y) or not np.isfinite(shares).all():
        return {}
    chosen = shares.argmax(axis=1)
    right = np.clip(shares[np.arange(len(y)), y], 1e-15, 1.0)
    present = np.unique(y)
    found = {
        "accuracy": float(metrics.accuracy_score(y, chosen)),
        "loss": float(-np.log(right).mean()),
    }
    positives = [1] if shares.shape[1] == 2 else present.tolist()
    if len(present) > 1:
        curves = [(y == k, shares[:, k]) for k in positives]
        for name, score in (
            ("auc", metrics.roc_auc_score),
            ("average_precision", metrics.average_precision_score),
        ):
            found[name] = float(np.mean([score(*each) for each in curves]))
    counted = positives if shares.shape[1] == 2 else np.union1d(present, chosen).tolist()
    if np.isin(counted, np.union1d(present, chosen)).all():
        f1 = metrics.f1_score(y, chosen, labels=counted, average="macro")
        found["f1"] = float(f1)
    return {name: found[name] for name in CLASS_METRICS if name in found}


def number_metrics(predicted: Values, y: Values) -> dict[str, float]:
    """Return R^2, root mean squared error and mean absolute error, by scikit-learn.

    R^2 is left out where the target does not vary.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> number_metrics(np.array([1.0, 3.0]), np.array([1.0, 5.0]))
    {'r2': 0.5, 'rmse': 1.4142135623730951, 'mae': 1.0}
    """
    metrics = sklearn_metrics()
    if not len(y) or not np.isfinite(predicted).all():
        return {}
    found = {
        "rmse": float(np.sqrt(metrics.mean_squared_error(y, predicted))),
        "mae": float(metrics.mean_absolute_error(y, predicted)),
    }
    if np.ptp(y) > 0:
        found["r2"] = float(metrics.r2_score(y, predicted))
    return {name: found[name] for name in NUMBER_METRICS if name in found}


def metric_notes(
    found: dict[str, float], y: NDArray[Any], classes: Sequence[Any]
) -> tuple[str, ...]:
    """Return why metrics are left out, or are means over some of the classes only.

    Examples
    --------
    >>> y = np.array([0, 0])
    >>> metric_notes(class_metrics(np.full((2, 2), 0.5), y), y, ("no", "yes"))
    ("no auc, f1, average_precision: the rows have no 'yes'",)
    """
    wanted = CLASS_METRICS if classes else NUMBER_METRICS
    gone = ", ".join(name for name in wanted if name not in found)
    if gone and not {"loss", "rmse"} & set(found):
        return (f"no metrics: {'the predictions are not finite' if len(y) else 'no rows'}",)
    if not classes:
        return (f"no {gone}: the target does not vary in the rows",) if gone else ()
    absent = sorted(set(range(len(classes))) - set(np.unique(y).tolist()))
    names = ", ".join(repr(classes[k]) for k in absent[:5])
    if gone:
        return (f"no {gone}: the rows have no {names}",)
    if absent:
        return (f"auc, average_precision: without {names}, which the rows do not have",)
    return ()


def sklearn_metrics() -> Any:
    """Return scikit-learn's metrics; MissingExtraError without it."""
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingExtraError("metrics", extra="tabular") from error
    return metrics
