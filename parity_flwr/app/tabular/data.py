"""A CSV file as a federation's data: encoded, divided, with a test set held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.datasets import stratified_split
from parity_flwr.app.tabular.division import owned, owners
from parity_flwr.app.tabular.features import Encoder, NumberSums, learn_encoder, survey
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.reading import RawTable, bad, read_csv
from parity_flwr.app.tabular.target import Target, Task, split_target
from parity_flwr.clients.tables import Table
from parity_flwr.errors import ConfigError

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
        Rows without a target or a client, which nobody uses.
    names : tuple of str
        The clients' own names; empty where they have none.
    """

    clients: tuple[Table, ...]
    test: Table
    encoder: Encoder
    classes: tuple[Any, ...] = ()
    centre: float = 0.0
    scale: float = 1.0
    skipped: int = 0
    names: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """Return what is predicted."""
        return Task.CLASSIFICATION if self.classes else Task.REGRESSION

    @property
    def features(self) -> int:
        """Return the number of inputs."""
        return int(self.test.x.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """A table that is split and divided, not yet encoded.

    Parameters
    ----------
    features : RawTable
        The rows with a target.
    target : Target
    parts : tuple of ndarray of int64
        Each client's rows.
    held : ndarray of int64
        Rows that no client has.
    plan : TabularPlan
        With the number of clients that there are.
    skipped : int
        Rows without a target or a client.
    names : tuple of str
        The clients' own names; empty where they have none.
    """

    features: RawTable
    target: Target
    parts: tuple[NDArray[np.int64], ...]
    held: NDArray[np.int64]
    plan: TabularPlan
    skipped: int = 0
    names: tuple[str, ...] = ()

    @property
    def examples(self) -> list[int]:
        """Return each client's number of rows."""
        return [len(each) for each in self.parts]

    def clients(self) -> list[RawTable]:
        """Return each client's rows."""
        return [self.features.rows(rows) for rows in self.parts]

    def clients_targets(self) -> list[NDArray[Any]]:
        """Return each client's targets."""
        return [self.target.y[rows] for rows in self.parts]

    def encoded(
        self, encoder: Encoder, *, centre: float = 0.0, scale: float = 1.0
    ) -> TabularData:
        """Return the data as clients and server use them."""
        pairs = zip(self.clients(), self.clients_targets(), strict=True)
        held = encoder.encode(self.features.rows(self.held))
        return TabularData(
            clients=tuple(Table(encoder.encode(each), y) for each, y in pairs),
            test=Table(held, self.target.y[self.held]),
            encoder=encoder,
            classes=self.target.classes,
            centre=centre,
            scale=scale,
            skipped=self.skipped,
            names=self.names,
        )


def load_rows(plan: TabularPlan) -> Rows:
    """Read, check, split and divide what the plan names.

    Raises
    ------
    DataError
        What is wrong with the file, on one line.
    ConfigError
        If it cannot be divided as asked.
    """
    column = plan.division.column
    table = read_csv(plan.data, texts=[column] if column else [])
    whole = len(table)
    if column:
        table = _with_owner(plan, table)
    features, target = split_target(plan.data, table, plan.target, task=plan.task)
    return divide_rows(plan, features, target, skipped=whole - len(target.y))


def _with_owner(plan: TabularPlan, table: RawTable) -> RawTable:
    """Return the rows of which the client is known."""
    column = plan.division.column
    if column == plan.target:
        raise ConfigError(
            "--partition by:COLUMN needs another column than the target",
            came=column[:40],
            action="change --partition",
        )
    known = np.array([each is not None for each in table.column(plan.data, column)], bool)
    return table.rows(known)


def divide_rows(
    plan: TabularPlan, features: RawTable, target: Target, *, skipped: int = 0
) -> Rows:
    """Split and divide a table that is there already.

    With natural clients the test set has the same share of each client's rows of each class,
    and the column that names the clients is no feature: it says the same in all their rows.

    Raises
    ------
    DataError
        If it has too few rows, or its column does not name clients.
    ConfigError
        If it cannot be divided as asked.
    """
    strata, names, column = _strata(target), (), plan.division.column
    owner = np.zeros(len(strata), np.int64)
    if column:
        texts = [str(each) for each in features.column(plan.data, column)]
        names, owner = owners(plan.data, column, texts, clients=plan.clients)
        plan = replace(plan, clients=len(names))
        features = features.without(column)
    train, held = stratified_split(
        owner * (strata.max() + 1) + strata,
        test_share=plan.test_share,
        rng=np.random.default_rng([plan.seed, 0]),
    )
    if len(train) < plan.clients or not len(held):
        raise bad(
            plan.data,
            f"a row for each of {plan.clients} clients beside the test set",
            f"{len(target.y)} rows with a target",
            "lower --clients or give more rows",
        )
    parts = (
        owned(owner[train])
        if column
        else plan.division.parts(strata[train], clients=plan.clients, seed=plan.seed)
    )
    return Rows(
        features=features,
        target=target,
        parts=tuple(train[rows] for rows in parts),
        held=held,
        plan=plan,
        skipped=skipped,
        names=names,
    )


def load_table(plan: TabularPlan) -> TabularData:
    """Return what the plan names, encoded by the clients' exact sums: not private.

    Raises
    ------
    DataError
        What is wrong with the file, on one line.
    ConfigError
        If it cannot be divided as asked.
    """
    return exactly_encoded(load_rows(plan))


def exactly_encoded(rows: Rows) -> TabularData:
    """Return the data encoded by the clients' exact sums: not private."""
    encoder = learn_encoder([survey(each) for each in rows.clients()])
    if rows.target.classes:
        return rows.encoded(encoder)
    centre, scale = _spread(rows.clients_targets())
    return rows.encoded(encoder, centre=centre, scale=scale)


def _strata(target: Target) -> NDArray[np.int64]:
    """Return the classes; of numbers the quarter of their order."""
    if target.classes:
        return target.y
    return np.searchsorted(np.quantile(target.y, [0.25, 0.5, 0.75]), target.y).astype(np.int64)


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
