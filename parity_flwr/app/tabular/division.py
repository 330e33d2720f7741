"""How the rows of a table are divided among clients: what ``--partition`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.partition import Parts, dirichlet, iid
from parity_flwr.app.partition_skew import (
    label_skew,
    natural,
    quantity_skew,
    sequential,
    stratified,
)
from parity_flwr.app.tabular.file_errors import bad
from parity_flwr.errors import ConfigError

MOST_CLIENTS = 1000
"""A column of more values than this names no clients."""

_PLAIN = ("iid", "stratified", "sequential")
_NUMBERED = ("dirichlet", "label-skew", "quantity")


@dataclass(frozen=True, kw_only=True)
class Division:
    """One way to divide rows.

    Parameters
    ----------
    kind : str
        "iid", "stratified", "sequential", "dirichlet", "label-skew", "quantity" or "by".
    number : float
        Concentration, or classes of a client; 0 where the kind has none.
    column : str
        Whose each row is, for "by".
    """

    kind: str
    number: float = 0.0
    column: str = ""

    @classmethod
    def parse(cls, text: str) -> Division:
        """Return what "iid", "dirichlet:0.5" or "by:hospital" says.

        Raises
        ------
        ConfigError
            If it says none of the known ways.
        """
        kind, colon, rest = text.partition(":")
        if kind == "by" and rest:
            return cls(kind=kind, column=rest)
        if kind in _PLAIN and not colon:
            return cls(kind=kind)
        number = _positive(rest)
        whole = number.is_integer() or kind != "label-skew"
        if kind in _NUMBERED and number > 0 and whole:
            return cls(kind=kind, number=number)
        raise ConfigError(
            "a partition is iid, stratified, sequential, dirichlet:ALPHA, "
            "label-skew:CLASSES, quantity:ALPHA or by:COLUMN",
            came=repr(text[:40]),
            action="change --partition",
        )

    def parts(self, labels: NDArray[np.int64], *, clients: int, seed: int) -> Parts:
        """Return the rows of each client; not for "by", whose clients are in the data.

        Parameters
        ----------
        labels : ndarray of int64, shape (n,)
            Classes; of a regression, the quarter of the target's range that a row lies in.

        Raises
        ------
        ConfigError
            If the rows cannot be divided so.
        """
        rng = np.random.default_rng([seed, 1])
        if self.kind == "sequential":
            return sequential(labels, parts=clients)
        if self.kind == "label-skew":
            return label_skew(labels, parts=clients, classes=int(self.number), rng=rng)
        if self.kind in _PLAIN:
            even = iid if self.kind == "iid" else stratified
            return even(labels, parts=clients, rng=rng)
        draw = dirichlet if self.kind == "dirichlet" else quantity_skew
        return draw(labels, parts=clients, alpha=self.number, min_size=2, rng=rng)


def owners(
    path: Path, column: str, values: Sequence[str], *, clients: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the clients' names in ascending order, and the place of each row's client.

    Parameters
    ----------
    values : sequence of str
        The client of each row, none missing.
    clients : int
        How many there have to be; 0 for as many as there are.

    Raises
    ------
    DataError
        If the column names one client or more than a thousand.
    ConfigError
        If it names another number of clients than was asked for.
    """
    names, place = np.unique(np.asarray(values, object), return_inverse=True)
    if not 2 <= len(names) <= MOST_CLIENTS:
        raise bad(
            path,
            f"from 2 to {MOST_CLIENTS} different values in {column!r}, one for each client",
            str(len(names)),
            "choose another --partition",
        )
    if clients and clients != len(names):
        raise ConfigError(
            f"--partition by:{column} makes {len(names)} clients, one for each value",
            came=f"--clients {clients}",
            action="leave out --clients",
        )
    return tuple(map(str, names)), place.astype(np.int64)


def owned(place: NDArray[np.int64]) -> Parts:
    """Return the rows of each client, from the place of each row's client."""
    return natural(place)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < np.inf else 0.0
