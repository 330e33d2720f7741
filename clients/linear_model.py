"""Linear models as named arrays, and as fitted scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity_flwr.clients.forest_model import require_sklearn
from parity_flwr.core.linear import LinearTask
from parity_flwr.errors import ConfigError

Estimator: TypeAlias = Any
"""A fitted LinearRegression, Ridge or LogisticRegression; scikit-learn has no types."""

Arrays = Mapping[str, NDArray[Any]]
NAMES = ("coef", "intercept")
"""The arrays of every linear model, in their order."""


def task_of(classes: Sequence[object]) -> LinearTask:
    """Return what a model of these classes does; none is regression.

    Examples
    --------
    >>> task_of(()).value, task_of(("no", "yes")).value, task_of(range(3)).value
    ('regression', 'binary', 'multiclass')
    """
    if len(classes) == 1:
        raise ConfigError(
            "a classifier needs two classes", came=repr(classes[0]), action="check the data"
        )
    if not classes:
        return LinearTask.REGRESSION
    return LinearTask.BINARY if len(classes) == 2 else LinearTask.MULTICLASS


def initial_linear(features: int, classes: Sequence[object] = ()) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model that knows nothing: zeros, float64.

    Parameters
    ----------
    features : int
        d, at least 1.
    classes : sequence
        Empty for regression.

    Examples
    --------
    >>> [(name, array.shape) for name, array in initial_linear(3, range(4)).items()]
    [('coef', (4, 3)), ('intercept', (4,))]
    """
    if features < 1:
        raise ConfigError(
            "a linear model needs a feature", came=str(features), action="change the data"
        )
    rows = len(classes) if task_of(classes) is LinearTask.MULTICLASS else 1
    return {"coef": np.zeros((rows, features)), "intercept": np.zeros(rows)}


def linear_estimator(
    arrays: Arrays, *, classes: Sequence[Any] = (), ridge: float = 0.0
) -> Estimator:
    """Return a fitted scikit-learn estimator with these coefficients.

    Parameters
    ----------
    arrays : mapping
        "coef" and "intercept", as the strategies keep them.
    classes : sequence
        Names of the classes in the order of their indices; empty for regression.
    ridge : float
        The penalty that was used, kept as the estimator's ``alpha``.

    Raises
    ------
    ConfigError
        If the shapes are not those of such a model.
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> model = linear_estimator({"coef": np.array([[2.0]]), "intercept": np.array([1.0])})
    >>> model.predict([[3.0]]).tolist()
    [7.0]
    """
    require_sklearn("a scikit-learn model")
    coef, intercept = arrays["coef"], arrays["intercept"]
    wanted = initial_linear(coef.shape[-1], classes)
    if coef.shape != wanted["coef"].shape or intercept.shape != wanted["intercept"].shape:
        raise ConfigError(
            f"the model needs coefficients of shape {wanted['coef'].shape}",
            came=f"{coef.shape} and {intercept.shape}",
            action="name the classes that it was trained on",
        )
    return _classifier(coef, intercept, classes) if classes else _regressor(arrays, ridge)


def _regressor(arrays: Arrays, ridge: float) -> Estimator:
    from sklearn.linear_model import LinearRegression, Ridge

    model: Any = Ridge(alpha=ridge) if ridge > 0 else LinearRegression()
    model.coef_ = np.array(arrays["coef"][0], np.float64)
    model.intercept_ = float(arrays["intercept"][0])
    model.n_features_in_ = len(model.coef_)
    return model


def _classifier(
    coef: NDArray[Any], intercept: NDArray[Any], classes: Sequence[Any]
) -> Estimator:
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression()
    model.coef_ = np.array(coef, np.float64)
    model.intercept_ = np.array(intercept, np.float64)
    model.classes_ = np.array(list(classes))
    model.n_features_in_ = coef.shape[1]
    model.n_iter_ = np.array([0], np.int32)  # not made by scikit-learn's own solver
    return model
