"""A CSV file as a federation's data: encoded, divided, with a test set held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import stratified_split
from parity_flwr.app.tabular.features import Encoder, NumberSums, learn_encoder, survey
from parity_flwr.app.tabular.plan import TabularPlan, divide
from parity_flwr.app.tabular.reading import RawTable, bad, read_csv
from parity_flwr.app.tabular.target import Target, Task, split_target
from parity_flwr.clients.tables import Table

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularData:
    """What the clients and the server have.

    Parameters
    ----------
    clients : tuple of Table
        Each client's rows, encoded.
    test : Table
        Rows that no client has.
    encoder : Encoder
        How columns became inputs.
    classes : tuple
        Names of the classes; empty for regression.
    centre, scale : float
        Mean and deviation of the clients' targets, for regression (0 and 1 for classes).
    skipped : int
        Rows without a target, which nobody uses.
    """

    clients: tuple[Table, ...]
    test: Table
    encoder: Encoder
    classes: tuple[Any, ...] = ()
    centre: float = 0.0
    scale: float = 1.0
    skipped: int = 0

    @property
    def task(self) -> Task:
        """Return what is predicted."""
        return Task.CLASSIFICATION if self.classes else Task.REGRESSION

    @property
    def features(self) -> int:
        """Return the number of inputs."""
        return int(self.test.x.shape[1])


def load_table(plan: TabularPlan) -> TabularData:
    """Read, check, split, divide and encode what the plan names.

    Raises
    ------
    DataError
        What is wrong with the file, on one line.
    ConfigError
        If it cannot be divided as asked.
    """
    table = read_csv(plan.data)
    features, target = split_target(plan.data, table, plan.target, task=plan.task)
    return divide_table(plan, features, target, skipped=len(table) - len(target.y))


def divide_table(
    plan: TabularPlan, features: RawTable, target: Target, *, skipped: int = 0
) -> TabularData:
    """Split, divide and encode a table that is there already.

    Raises
    ------
    DataError
        If it has too few rows.
    ConfigError
        If it cannot be divided as asked.
    """
    strata = _strata(target)
    train, held = stratified_split(
        strata, test_share=plan.test_share, rng=np.random.default_rng([plan.seed, 0])
    )
    if len(train) < plan.clients or not len(held):
        raise bad(
            plan.data,
            f"a row for each of {plan.clients} clients beside the test set",
            f"{len(target.y)} rows with a target",
            "lower --clients or give more rows",
        )
    parts = [train[rows] for rows in divide(strata[train], plan)]
    return _encoded(features, target, parts, held, skipped=skipped)


def _strata(target: Target) -> NDArray[np.int64]:
    """Return the classes; of numbers the quarter of their order."""
    if target.classes:
        return target.y
    return np.searchsorted(np.quantile(target.y, [0.25, 0.5, 0.75]), target.y).astype(np.int64)


def _encoded(
    features: RawTable,
    target: Target,
    parts: list[NDArray[np.int64]],
    held: NDArray[np.int64],
    *,
    skipped: int,
) -> TabularData:
    raw = [features.rows(rows) for rows in parts]
    encoder = learn_encoder([survey(each) for each in raw])
    pairs = zip(raw, parts, strict=True)
    centre, scale = (0.0, 1.0) if target.classes else _spread([target.y[p] for p in parts])
    return TabularData(
        clients=tuple(Table(encoder.encode(each), target.y[rows]) for each, rows in pairs),
        test=Table(encoder.encode(features.rows(held)), target.y[held]),
        encoder=encoder,
        classes=target.classes,
        centre=centre,
        scale=scale,
        skipped=skipped,
    )


def _spread(targets: list[Values]) -> tuple[float, float]:
    """Return mean and deviation from each client's sums."""
    sums = [survey(RawTable({"y": each}))["y"] for each in targets]
    whole = NumberSums(0, 0.0, 0.0, 0)
    for each in sums:
        assert isinstance(each, NumberSums)  # noqa: S101 - y is a column of numbers
        whole = whole + each
    mean = whole.total / whole.count
    variance = whole.squares / whole.count - mean**2
    return mean, float(np.sqrt(variance)) if variance > 0 else 1.0
