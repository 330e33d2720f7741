"""Encoded rows in a scratch file, and clients that train on one slice of theirs each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.app.tabular.scratch import Piece, Scratch
from parity_flwr.clients import Table
from parity_flwr.core.linear import merge
from parity_flwr.core.linear.wire import FIELDS, pack_root, unpack_root
from parity_flwr.core.wire import ROUND

LONGEST_SLICE = 1 << 17
"""Rows of a client that are trained on in one round, at most."""

_MOST_VALUES = 1 << 24  # of inputs in a slice
_LEAST_SLICE = 1 << 10

Scalar = bool | bytes | float | int | str
Result = tuple[list[NDArray[Any]], int, dict[str, Scalar]]
MakeClient = Callable[[Table, Context], NumPyClient]


def slices_of(rows: int, *, inputs: int) -> int:
    """Return into how many slices a client's rows are cut."""
    most = max(_LEAST_SLICE, min(LONGEST_SLICE, _MOST_VALUES // max(1, inputs)))
    return max(1, -(-rows // most))


@dataclass(frozen=True)
class Slice:
    """Where a slice's inputs (float32, row by row) and targets lie."""

    x: Piece
    y: Piece


@dataclass(frozen=True)
class StoredTables(Sequence[Table]):
    """Each client's rows in slices: row r of a client is in slice r modulo their number.

    As a sequence it has each client's first slice, which is all of a client that is not large.

    Parameters
    ----------
    scratch : Scratch
    inputs : int
    slices : tuple of tuple of Slice
        Of each client.
    """

    scratch: Scratch
    inputs: int
    slices: tuple[tuple[Slice, ...], ...]

    def __len__(self) -> int:
        """Return the number of clients."""
        return len(self.slices)

    @overload
    def __getitem__(self, place: int) -> Table: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Table]: ...
    def __getitem__(self, place: int | slice) -> Table | Sequence[Table]:
        """Read the first slice of a client."""
        if isinstance(place, slice):
            return [self.table(k) for k in range(*place.indices(len(self)))]
        return self.table(place)

    def rows(self) -> int:
        """Return how many rows the clients have together."""
        return sum(each.y.count for client in self.slices for each in client)

    def table(self, client: int, turn: int = 0) -> Table:
        """Read the slice of a client whose turn it is."""
        found = self.slices[client][turn % len(self.slices[client])]
        x = self.scratch.read(found.x).reshape(-1, self.inputs)
        return Table(x, self.scratch.read(found.y))


class SlicedClient(NumPyClient):
    """A client that reads a slice of its rows for each message, another in each round.

    Parameters
    ----------
    tables : StoredTables
    client : int
        Which.
    make : callable
        (rows, context) -> the client of these rows.
    context : Context
    """

    def __init__(
        self, tables: StoredTables, client: int, make: MakeClient, context: Context
    ) -> None:
        self._tables, self._client = tables, client
        self._make, self._own = make, context

    def get_parameters(self, config: dict[str, Scalar]) -> list[NDArray[Any]]:
        """Return the arrays of a model that knows nothing."""
        return self._at(config).get_parameters(config)

    def fit(self, parameters: list[NDArray[Any]], config: dict[str, Scalar]) -> Result:
        """Train on this round's slice."""
        return self._at(config).fit(parameters, config)

    def evaluate(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[float, int, dict[str, Scalar]]:
        """Judge on this round's slice."""
        return self._at(config).evaluate(parameters, config)

    def _at(self, config: dict[str, Scalar]) -> NumPyClient:
        turn = max(0, int(config.get(ROUND, 0)) - 1)
        return self._make(self._tables.table(self._client, turn), self._own)


class MergedClient(SlicedClient):
    """A client whose answer is statistics of a linear regression, over all of its slices."""

    def fit(self, parameters: list[NDArray[Any]], config: dict[str, Scalar]) -> Result:
        """Return the root of all rows, and n_k."""
        count = len(self._tables.slices[self._client])
        answers = [
            self._make(self._tables.table(self._client, turn), self._own).fit([], config)
            for turn in range(count)
        ]
        if count == 1:
            return answers[0]
        roots = [
            unpack_root(dict(zip(FIELDS, arrays, strict=True)), features=self._tables.inputs)
            for arrays, _, _ in answers
        ]
        rows = sum(examples for _, examples, _ in answers)
        return list(pack_root(merge(roots)).values()), rows, {}


def client_of(
    tables: Sequence[Table],
    place: int,
    make: MakeClient,
    context: Context,
    *,
    merged: bool = False,
) -> NumPyClient:
    """Return a client of a table in memory or in a scratch file.

    Parameters
    ----------
    tables : sequence of Table
        Each client's.
    place : int
        Which client.
    make : callable
        (rows, context) -> the client of these rows.
    context : Context
    merged : bool
        Whether the client answers with statistics, which are merged over its slices.
    """
    if not isinstance(tables, StoredTables):
        return make(tables[place], context)
    kind = MergedClient if merged else SlicedClient
    return kind(tables, place, make, context)
