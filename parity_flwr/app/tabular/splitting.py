"""Which rows of a table are held out, and which client has the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import stratified_split
from parity_flwr.app.partition import Parts
from parity_flwr.app.tabular.division import owned
from parity_flwr.app.tabular.file_errors import bad
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.reading import Numbers, RawTable, Texts
from parity_flwr.errors import ConfigError


def owner_column(plan: TabularPlan, table: RawTable) -> Numbers | Texts:
    """Return the column that names the clients.

    Raises
    ------
    DataError
        If there is none of that name.
    ConfigError
        If it is the target.
    """
    column = plan.division.column
    if column == plan.target:
        raise ConfigError(
            "--partition by:COLUMN needs another column than the target",
            came=column[:40],
            action="change --partition",
        )
    return table.column(plan.data, column)


def without_owner(plan: TabularPlan, features: RawTable) -> RawTable:
    """Return the columns that do not name clients.

    Raises
    ------
    DataError
        If there is none.
    """
    if len(features.columns) == 1:
        needed = "a column besides the target and the one that names clients"
        raise bad(plan.data, needed, "none", "give a file with features")
    return features.without(plan.division.column)


def split_and_divide(
    plan: TabularPlan, strata: NDArray[np.int64], owner: NDArray[np.int64] | None
) -> tuple[Parts, NDArray[np.int64]]:
    """Return each client's rows, and those that no client has.

    Parameters
    ----------
    strata : ndarray of int64, shape (n,)
        As :func:`strata_of` returns them.
    owner : ndarray of int64, shape (n,), optional
        The client of each row, where a column names it.

    Raises
    ------
    DataError
        If there are too few rows.
    ConfigError
        If they cannot be divided as asked.
    """
    train, held = stratified_split(
        strata if owner is None else owner * (strata.max() + 1) + strata,
        test_share=plan.test_share,
        rng=np.random.default_rng([plan.seed, 0]),
    )
    if len(train) < plan.clients or not len(held):
        raise bad(
            plan.data,
            f"a row for each of {plan.clients} clients beside the test set",
            f"{len(strata)} rows with a target",
            "lower --clients or give more rows",
        )
    if owner is not None:
        parts = owned(owner[train])
    else:
        parts = plan.division.parts(strata[train], clients=plan.clients, seed=plan.seed)
    return tuple(train[rows] for rows in parts), held
