"""Participants of a comparison: their rows, and what trains and predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.clients import Table
from parity_flwr.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Participant:
    """A client with rows to learn from and rows that nobody learns from.

    Parameters
    ----------
    name : str
        For tables.
    train, test : Table
        y holds 0 and 1. The test rows carry true labels, whatever the client does to its
        training labels.
    honest : bool
        Whether its test rows count among the pooled ones, and its own model in the median.
    """

    name: str
    train: Table
    test: Table
    honest: bool = True

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which test rows are positive."""
        return np.asarray(self.test.y == 1)


Predict = Callable[[NDArray[np.floating[Any]]], NDArray[np.float64]]
"""Rows of shape (n, features) -> the probability of the positive class, shape (n,)."""

Train = Callable[[Participant], Predict]
"""Trains a participant's own model on its training rows, by itself."""


def predicted(predict: Predict, table: Table) -> NDArray[np.float64]:
    """Return a model's probabilities for a table's rows, one finite number for each.

    Raises
    ------
    ConfigError
        If the model returns something else.
    """
    values = np.asarray(predict(table.x), np.float64)
    if values.shape == (len(table),) and np.isfinite(values).all():
        return values
    raise ConfigError(
        f"a model needs to return {len(table)} finite probabilities",
        came=f"shape {values.shape}, {np.count_nonzero(~np.isfinite(values))} not finite",
        action="return the probability of the positive class for every row",
    )
