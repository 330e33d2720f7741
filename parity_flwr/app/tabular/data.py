"""A CSV file as a federation's data: encoded, divided, with a test set held out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.partition import Parts
from parity_flwr.app.tabular.division import owners
from parity_flwr.app.tabular.features import Encoder, NumberSums, learn_encoder, survey
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.reading import RawTable, is_known, read_csv
from parity_flwr.app.tabular.splitting import owner_column, split_and_divide, without_owner
from parity_flwr.app.tabular.target import Target, Task, split_target, strata_of
from parity_flwr.clients.tables import Table

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularData:
    """What the clients and the server have.

    Parameters
    ----------
    clients : sequence of Table
        Each client's rows, encoded. A table in a scratch file is read when it is asked for,
        and of one that is large, only the first slice.
    test : Table
        Rows that no client has.
    encoder : Encoder
        How columns became inputs.
    train_rows : int
        How many the clients have together, also those that ``clients`` leaves out.
    classes : tuple
        Names of the classes; empty for regression.
    centre, scale : float
        Mean and deviation of the clients' targets, for regression (0 and 1 for classes).
    skipped : int
        Rows without a target or a client, which nobody uses.
    names : tuple of str
        The clients' own names; empty where they have none.
    """

    clients: Sequence[Table]
    test: Table
    encoder: Encoder
    train_rows: int
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


class Rows(ABC):
    """A table that is split and divided, not yet encoded.

    Attributes
    ----------
    features : RawTable
        Has the columns of the inputs; its rows are some of the table's.
    target : Target
        What is predicted; its ``y`` are the targets of those rows.
    plan : TabularPlan
        With the number of clients that there are.
    skipped : int
        Rows without a target or a client.
    names : tuple of str
        The clients' own names; empty where they have none.
    """

    features: RawTable
    target: Target
    plan: TabularPlan
    skipped: int
    names: tuple[str, ...]

    @property
    @abstractmethod
    def examples(self) -> list[int]:
        """Return each client's number of rows."""

    @property
    @abstractmethod
    def test_examples(self) -> int:
        """Return the number of rows that no client has."""

    @abstractmethod
    def clients(self) -> list[RawTable]:
        """Return each client's rows."""

    @abstractmethod
    def clients_targets(self) -> list[NDArray[Any]]:
        """Return each client's targets."""

    @abstractmethod
    def tables(self, encoder: Encoder) -> tuple[Sequence[Table], Table]:
        """Return each client's rows and those of the test set, encoded."""

    def encoded(
        self, encoder: Encoder, *, centre: float = 0.0, scale: float = 1.0
    ) -> TabularData:
        """Return the data as clients and server use them."""
        clients, test = self.tables(encoder)
        return TabularData(
            clients=clients,
            test=test,
            encoder=encoder,
            train_rows=sum(self.examples),
            classes=self.target.classes,
            centre=centre,
            scale=scale,
            skipped=self.skipped,
            names=self.names,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeRows(Rows):
    """A table in memory.

    Parameters
    ----------
    parts : tuple of ndarray of int64
        Each client's rows.
    held : ndarray of int64
        Rows that no client has.
    features, target, plan, skipped, names
        As in :class:`Rows`; all rows with a target and a client.
    """

    features: RawTable
    target: Target
    parts: Parts
    held: NDArray[np.int64]
    plan: TabularPlan
    skipped: int = 0
    names: tuple[str, ...] = ()

    @property
    def examples(self) -> list[int]:
        """Return each client's number of rows."""
        return [len(each) for each in self.parts]

    @property
    def test_examples(self) -> int:
        """Return the number of rows that no client has."""
        return len(self.held)

    def clients(self) -> list[RawTable]:
        """Return each client's rows."""
        return [self.features.rows(rows) for rows in self.parts]

    def clients_targets(self) -> list[NDArray[Any]]:
        """Return each client's targets."""
        return [self.target.y[rows] for rows in self.parts]

    def tables(self, encoder: Encoder) -> tuple[Sequence[Table], Table]:
        """Return each client's rows and those of the test set, encoded."""
        pairs = zip(self.clients(), self.clients_targets(), strict=True)
        held = encoder.encode(self.features.rows(self.held))
        clients = tuple(Table(encoder.encode(each), y) for each, y in pairs)
        return clients, Table(held, self.target.y[self.held])


def load_rows(plan: TabularPlan) -> WholeRows:
    """Read, check, split and divide what the plan names, in memory.

    Raises
    ------
    DataError, ConfigError
        As :func:`parity_flwr.app.tabular.loading.load`.
    """
    column = plan.division.column
    table = read_csv(plan.data, texts=[column] if column else [])
    whole = len(table)
    if column:
        table = table.rows(is_known(owner_column(plan, table)))
    features, target = split_target(plan.data, table, plan.target, task=plan.task)
    return divide_rows(plan, features, target, skipped=whole - len(target.y))


def divide_rows(
    plan: TabularPlan, features: RawTable, target: Target, *, skipped: int = 0
) -> WholeRows:
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
    names: tuple[str, ...] = ()
    owner = None
    if plan.division.column:
        column = features.column(plan.data, plan.division.column)
        names, owner = owners(
            plan.data, plan.division.column, column.tolist(), clients=plan.clients
        )
        plan = replace(plan, clients=len(names))
        features = without_owner(plan, features)
    parts, held = split_and_divide(plan, strata_of(target.y), owner)
    return WholeRows(
        features=features,
        target=target,
        parts=parts,
        held=held,
        plan=plan,
        skipped=skipped,
        names=names,
    )


def load_table(plan: TabularPlan) -> TabularData:
    """Return what the plan names, encoded by the clients' exact sums: not private.

    Raises
    ------
    DataError, ConfigError
        As :func:`parity_flwr.app.tabular.loading.load`.
    """
    return exactly_encoded(load_rows(plan))


def exactly_encoded(rows: Rows) -> TabularData:
    """Return the data encoded by the clients' exact sums: not private."""
    encoder = learn_encoder([survey(each) for each in rows.clients()])
    if rows.target.classes:
        return rows.encoded(encoder)
    centre, scale = _spread(rows.clients_targets())
    return rows.encoded(encoder, centre=centre, scale=scale)


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
