"""Linear and logistic regression as NumPyClients: exact in one round, or by gradient steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.clients.attacks.labels import attacked_targets
from parity_flwr.clients.linear_model import initial_linear, task_of
from parity_flwr.clients.tables import Labels, Table
from parity_flwr.core.linear import (
    LinearTask,
    descend,
    mean_loss,
    predict_linear,
    root_of,
)
from parity_flwr.core.linear.wire import pack_root
from parity_flwr.errors import ConfigError

Scalar = bool | bytes | float | int | str
Result = tuple[list[NDArray[Any]], int, dict[str, Scalar]]


@dataclass(frozen=True, kw_only=True)
class LinearTraining:
    """How a client moves a linear model in one round.

    Parameters
    ----------
    steps : int
        Full-batch gradient steps.
    rate : float
        Length of a step over the longest that is safe on this data, in (0, 2).
    ridge : float
        Half of it times |coef|^2 is added to the mean loss.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    steps: int = 20
    rate: float = 1.0
    ridge: float = 0.0

    def __post_init__(self) -> None:
        checks = {
            "steps": self.steps >= 0,
            "rate": 0 < self.rate < 2,
            "ridge": 0 <= self.ridge < math.inf,
        }
        for name, holds in checks.items():
            if not holds:
                raise ConfigError(
                    f"{name} is out of range",
                    came=repr(getattr(self, name)),
                    action=f"change {name}",
                )


class LinearClient(NumPyClient):
    """Linear or logistic regression by gradient steps, for any strategy.

    Without classes it is linear regression, with two logistic, with more softmax. Standardise
    the features first, and alike on all clients: gradient steps are slow on others.

    Parameters
    ----------
    classes : sequence
        The federation's classes; empty for regression.
    train, test : Table
        Local data without missing values.
    context : Context
        The node's context: its configuration may flip the labels (an attack).
    training : LinearTraining, optional
        How to train.

    Examples
    --------
    >>> from flwr.app import Context, RecordDict
    >>> data = Table(np.eye(2, dtype=np.float32), np.array([1.0, 2.0]))
    >>> context = Context(1, 1, {"partition-id": 0}, RecordDict(), {})
    >>> client = LinearClient((), train=data, test=data, context=context)
    >>> arrays, examples, metrics = client.fit(client.get_parameters({}), {})
    >>> [array.shape for array in arrays], examples, list(metrics)
    ([(1, 2), (1,)], 2, ['train-loss'])
    """

    def __init__(
        self,
        classes: tuple[Any, ...],
        *,
        train: Table,
        test: Table,
        context: Context,
        training: LinearTraining | None = None,
    ) -> None:
        self._classes = classes
        self._task = task_of(classes)
        self._train, self._test = train, test
        self._context = context
        self._training = training or LinearTraining()

    def get_parameters(self, config: dict[str, Scalar]) -> list[NDArray[Any]]:
        """Return the arrays of a model that knows nothing."""
        return list(initial_linear(self._train.x.shape[1], self._classes).values())

    def fit(self, parameters: list[NDArray[Any]], config: dict[str, Scalar]) -> Result:
        """Move the model; return it, n_k and its loss before the first step."""
        if not len(self._train):
            return parameters, 0, {}
        coef, intercept = parameters
        y = attacked_targets(self._train.y, self._context, regression=not self._classes)
        loss = mean_loss(coef, intercept, self._train.x, y, self._task)
        moved = descend(
            coef,
            intercept,
            self._train.x,
            y,
            self._task,
            steps=self._training.steps,
            rate=self._training.rate,
            ridge=self._training.ridge,
        )
        return list(moved), len(self._train), {"train-loss": loss}

    def evaluate(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[float, int, dict[str, Scalar]]:
        """Return loss, number of test examples and accuracy or R^2."""
        coef, intercept = parameters
        loss = mean_loss(coef, intercept, self._test.x, self._test.y, self._task)
        return loss, len(self._test), linear_score(coef, intercept, self._test, self._task)


class StatisticsClient(LinearClient):
    """The sufficient statistics of a linear regression, for an exact fit in one round.

    ``fit`` returns n, the means and the root of the scatter
    (:class:`parity_flwr.core.linear.Root`) for
    :class:`parity_flwr.strategies.LeastSquares`, whatever model it was sent. They are as
    telling about the data as they are exact: with few examples they give them away.

    Parameters
    ----------
    train, test : Table
        Local data without missing values; y is a number.
    context : Context
        The node's context.

    Examples
    --------
    >>> from flwr.app import Context, RecordDict
    >>> data = Table(np.eye(2, dtype=np.float32), np.array([1.0, 2.0]))
    >>> context = Context(1, 1, {"partition-id": 0}, RecordDict(), {})
    >>> client = StatisticsClient(train=data, test=data, context=context)
    >>> arrays, examples, _ = client.fit([], {})
    >>> [array.shape for array in arrays], examples
    ([(1,), (3,), (6,)], 2)
    """

    def __init__(self, *, train: Table, test: Table, context: Context) -> None:
        super().__init__((), train=train, test=test, context=context)

    def fit(self, parameters: list[NDArray[Any]], config: dict[str, Scalar]) -> Result:
        """Return the statistics of the training data and n_k."""
        if not len(self._train):
            return parameters, 0, {}
        y = attacked_targets(self._train.y, self._context, regression=True)
        root = root_of(self._train.x, np.asarray(y, np.float64))
        return list(pack_root(root).values()), len(self._train), {}


def linear_score(
    coef: NDArray[np.float64], intercept: NDArray[np.float64], data: Table, task: LinearTask
) -> dict[str, Scalar]:
    """Return {"accuracy": ...} or {"r2": ...}; empty where there is nothing to score."""
    if not len(data):
        return {}
    values = predict_linear(coef, intercept, data.x, task)
    if task is not LinearTask.REGRESSION:
        return {"accuracy": float((values.argmax(axis=1) == data.y).mean())}
    return explained(values[:, 0], data.y)


def explained(predicted: NDArray[np.float64], y: Labels) -> dict[str, Scalar]:
    """Return {"r2": ...}, empty if y does not vary."""
    spread = float(np.var(y)) if len(y) else 0.0
    return {"r2": 1 - float(((predicted - y) ** 2).mean()) / spread} if spread > 0 else {}
