"""More ways to divide examples among clients: by class, by order, by size, by natural id.

Each returns the indices of each client, ascending; together a partition of range(n).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.partition import Parts, require_dirichlet, require_parts
from parity_flwr.errors import ConfigError, DataError

Labels = NDArray[np.int64]


def stratified(labels: Labels, *, parts: int, rng: np.random.Generator) -> Parts:
    """Give every client the same share of every class (counts differ by at most 1).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [part.size for part in stratified(np.repeat([0, 1], 4), parts=2, rng=rng)]
    [4, 4]
    """
    require_parts(parts, len(labels))
    everybody = [list(range(parts)) for _ in np.unique(labels)]
    return _deal(labels, everybody, parts=parts, rng=rng)


def sequential(labels: Labels, *, parts: int) -> Parts:
    """Give each client a run of neighbours, in the order of the data.

    Examples
    --------
    >>> [part.tolist() for part in sequential(np.zeros(5, np.int64), parts=2)]
    [[0, 1, 2], [3, 4]]
    """
    require_parts(parts, len(labels))
    return tuple(np.array_split(np.arange(len(labels)), parts))


def label_skew(labels: Labels, *, parts: int, classes: int, rng: np.random.Generator) -> Parts:
    """Give each client examples of ``classes`` classes, two by default in the literature.

    McMahan et al. 2017's pathological division, with an equal number of holders for each
    class. A class is divided evenly among those who hold it.

    Raises
    ------
    ConfigError
        If ``classes`` is not from 1 to the number of classes, or the clients are too few
        for every class to have a holder.
    """
    require_parts(parts, len(labels))
    count = len(np.unique(labels))
    if not 1 <= classes <= count or parts * classes < count:
        raise ConfigError(
            f"{parts} clients can hold from {-(-count // parts)} to {count} classes each",
            came=f"{classes}",
            action="change the number of classes or of clients",
        )
    held = _draw_classes(count, parts=parts, each=classes, rng=rng)
    holders = [[k for k in range(parts) if label in held[k]] for label in range(count)]
    return _deal(labels, holders, parts=parts, rng=rng)


def minority(
    labels: Labels,
    *,
    parts: int,
    share: float = 0.3,
    classes: int = 2,
    rng: np.random.Generator,
) -> Parts:
    """Let a share of the clients hold the last classes, which nobody else has.

    The others hold the other classes, evenly. An honest minority that a rule which looks
    at distances alone takes for colluders.

    Raises
    ------
    ConfigError
        If one of the two groups has no clients or no classes.
    """
    require_parts(parts, len(labels))
    count, few = len(np.unique(labels)), sum(k < share * parts for k in range(parts))
    if not (0 < few < parts and 0 < classes < count):
        raise ConfigError(
            "a minority needs clients and classes, and leaves some of both",
            came=f"{few} of {parts} clients, {classes} of {count} classes",
            action="change share or classes",
        )
    order = rng.permutation(parts)
    rare, common = sorted(order[:few].tolist()), sorted(order[few:].tolist())
    holders = [common] * (count - classes) + [rare] * classes
    return _deal(labels, holders, parts=parts, rng=rng)


def quantity_skew(
    labels: Labels,
    *,
    parts: int,
    alpha: float,
    min_size: int = 1,
    rng: np.random.Generator,
) -> Parts:
    """Draw the clients' sizes from Dirichlet(alpha, ...); the classes are even.

    Every client has at least ``min_size`` examples; the rest is divided by the draw.
    """
    require_parts(parts, len(labels))
    require_dirichlet(len(labels), parts=parts, alpha=alpha, min_size=min_size)
    spare = len(labels) - parts * min_size
    ends = np.cumsum(rng.dirichlet(np.full(parts, alpha)))[:-1] * spare
    cuts = ends.astype(np.int64) + min_size * np.arange(1, parts)
    shuffled = rng.permutation(len(labels))
    return tuple(np.sort(part) for part in np.split(shuffled, cuts))


def natural(ids: Sequence[Any] | NDArray[Any], *, parts: int | None = None) -> Parts:
    """Divide by an id in the data (writer, hospital, role): one id, one client.

    With fewer ``parts`` than ids, ids share a client: the largest first, each to the client
    that has the fewest examples so far.

    Parameters
    ----------
    ids : sequence of n hashable values, or ndarray of shape (n,)
        Whose each example is.
    parts : int, optional
        Number of clients, at most the number of ids; by default one for each, in the order
        of the sorted ids.

    Examples
    --------
    >>> [part.tolist() for part in natural(["b", "a", "b"])]
    [[1], [0, 2]]
    """
    _, owner, sizes = np.unique(np.asarray(ids), return_inverse=True, return_counts=True)
    clients = sizes.size if parts is None else parts
    require_parts(clients, sizes.size)
    client_of, load = np.arange(sizes.size), np.zeros(clients, np.int64)
    if clients < sizes.size:
        for one in np.argsort(-sizes, kind="stable"):
            client_of[one] = int(np.argmin(load))
            load[client_of[one]] += sizes[one]
    return tuple(np.flatnonzero(client_of[owner] == k) for k in range(clients))


class Partitioner(Protocol):
    """What a partitioner of ``flwr-datasets`` looks like, once its dataset is set."""

    @property
    def num_partitions(self) -> int:
        """Number of clients."""
        ...

    def load_partition(self, partition_id: int) -> Any:
        """Return the rows of one client, by column name."""
        ...


def from_partitioner(partitioner: Partitioner, *, rows: int, index: str = "index") -> Parts:
    """Divide as a partitioner of ``flwr-datasets`` does.

    Its dataset needs a column that numbers the rows, so that the division is known without
    a copy of the data: ``Dataset.from_dict({"label": labels, "index": range(len(labels))})``.

    Parameters
    ----------
    partitioner : Partitioner
        With its ``dataset`` set.
    rows : int
        Number of rows of the dataset.
    index : str
        Name of the column that numbers them from 0.

    Raises
    ------
    DataError
        If an index is out of range or in two partitions.
    """
    found = [
        np.sort(np.asarray(partitioner.load_partition(k)[index], np.int64))
        for k in range(partitioner.num_partitions)
    ]
    together = np.concatenate([np.zeros(0, np.int64), *found])
    outside = bool(((together < 0) | (together >= rows)).any())
    if outside or np.unique(together).size != together.size:
        raise DataError(
            f"a partitioner needs to give rows from 0 to {rows - 1}, each to one client",
            came="others" if outside else "rows that several clients have",
            action=f"number the rows of its dataset in a column {index!r}",
        )
    return tuple(found)


def _draw_classes(
    count: int, *, parts: int, each: int, rng: np.random.Generator
) -> list[set[int]]:
    """Draw ``each`` different classes for every client, all classes about equally often.

    Cards are dealt from shuffled packs of all classes; a client that is dealt a class twice
    changes it for the next one that it lacks.
    """
    packs = -(-parts * each // count)
    cards = np.concatenate([rng.permutation(count) for _ in range(packs)]).tolist()
    held: list[set[int]] = []
    for _ in range(parts):
        hand: set[int] = set()
        while len(hand) < each:
            fresh = next((place for place, card in enumerate(cards) if card not in hand), None)
            lacking = [label for label in range(count) if label not in hand]
            hand.add(int(rng.choice(lacking)) if fresh is None else cards.pop(fresh))
        held.append(hand)
    return held


def _deal(
    labels: Labels, holders: Sequence[Sequence[int]], *, parts: int, rng: np.random.Generator
) -> Parts:
    """Divide the i-th class evenly among its holders.

    Each class starts where the one before stopped, so that remainders do not pile up at the
    first clients.
    """
    pieces: list[list[NDArray[np.int64]]] = [[np.zeros(0, np.int64)] for _ in range(parts)]
    turn = 0
    for label, who in zip(np.unique(labels), holders, strict=True):
        members = rng.permutation(np.flatnonzero(labels == label))
        for place in range(len(who)):
            client = who[(turn + place) % len(who)]
            pieces[client].append(members[place :: len(who)])
        turn += len(members)
    return tuple(np.sort(np.concatenate(piece)) for piece in pieces)
