"""From a spilled table to one in which each client's rows are neighbours."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.assigning import Assignment, spacing
from parity_flwr.app.tabular.division import owners
from parity_flwr.app.tabular.file_errors import bad
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.reading import RawTable
from parity_flwr.app.tabular.scratch import Piece, Scratch
from parity_flwr.app.tabular.spilling import Spilled, Watch, spill, unwatched
from parity_flwr.app.tabular.splitting import owner_column, without_owner
from parity_flwr.app.tabular.stored import Store, StoredRows
from parity_flwr.app.tabular.target import (
    Target,
    class_names,
    quarters_of,
    strata_of,
    without_target,
)

_MANY = 1000  # different numbers of a target: more say no more


def stored_rows(plan: TabularPlan, *, watch: Watch = unwatched) -> StoredRows:
    """Read, check, split and divide what the plan names, in a scratch file.

    Raises
    ------
    DataError, ConfigError, RunError
        As :func:`parity_flwr.app.tabular.loading.load`.
    """
    column = plan.division.column
    table = spill(plan.data, texts=[column] if column else [], watch=watch)
    frame = RawTable(dict.fromkeys(table.pieces, np.zeros(0)))
    if column:
        owner_column(plan, frame)
    features = without_target(plan.data, frame, plan.target)
    used = _used(plan, table)
    names, place = _owners(plan, table, used) if column else ((), None)
    if column:
        plan = replace(plan, clients=len(names))
        features = without_owner(plan, features)
    y, classes = _answers(plan, table, used)
    clients, counts = _assigned(plan, table.scratch, y, place)
    store = _arranged(table, tuple(features.columns), used, y, clients, counts, watch)
    start, stop = store.starts[:2]
    return StoredRows(
        store=store,
        features=store.rows(start, stop),
        target=Target(store.targets(start, stop), classes),
        plan=plan,
        skipped=sum(table.rows) - store.starts[-1],
        names=names,
        watch=watch,
    )


def _used(plan: TabularPlan, table: Spilled) -> list[Piece]:
    """Mark, batch by batch, the rows whose target and client are known."""
    marks = (
        list(table.known(plan.target))
        if not plan.division.column
        else [
            one & other
            for one, other in zip(
                table.known(plan.target), table.known(plan.division.column), strict=True
            )
        ]
    )
    return [table.scratch.append(each) for each in marks]


def _values(table: Spilled, name: str, used: list[Piece]) -> Any:
    """Yield a column's values in the rows that are used."""
    for piece, marks in zip(table.pieces[name], used, strict=True):
        yield table.scratch.read(piece)[table.scratch.read(marks)]


def _owners(
    plan: TabularPlan, table: Spilled, used: list[Piece]
) -> tuple[tuple[str, ...], list[Piece]]:
    """Return the clients' names and, batch by batch, the place of each row's client."""
    column = plan.division.column
    levels = table.levels[column]
    _require_all(plan, table, column)
    texts = list(levels.places)
    counts = np.zeros(len(texts), np.int64)
    for codes in _values(table, column, used):
        counts += np.bincount(codes, minlength=len(texts))
    seen = [text for text, count in zip(texts, counts, strict=True) if count]
    names, _ = owners(plan.data, column, seen, clients=plan.clients)
    ranks = {name: k for k, name in enumerate(names)}
    place = np.array([ranks.get(text, -1) for text in texts], np.int32)
    return names, [table.scratch.append(place[c]) for c in _values(table, column, used)]


def _require_all(plan: TabularPlan, table: Spilled, column: str) -> None:
    """Refuse a column of more texts than are told apart."""
    levels = table.levels.get(column)
    if levels is not None and levels.full:
        raise bad(
            plan.data,
            f"fewer different values in {column!r}",
            f"over {len(levels.places)}",
            "choose another column",
        )


def _answers(
    plan: TabularPlan, table: Spilled, used: list[Piece]
) -> tuple[list[Piece], tuple[Any, ...]]:
    """Return, batch by batch, the target of the rows that are used; and the classes."""
    name = plan.target
    _require_all(plan, table, name)
    levels = table.levels.get(name)
    different: set[Any] = set()
    rows = 0
    for values in _values(table, name, used):
        rows += len(values)
        if len(different) <= _MANY:
            different |= set(np.unique(values).tolist())
    texts = [] if levels is None else list(levels.places)
    ordered = sorted(different if levels is None else [texts[code] for code in different])
    classes = class_names(plan.data, name, ordered, rows=rows, task=plan.task)
    if not classes:
        return [table.scratch.append(v) for v in _values(table, name, used)], ()
    if levels is None:
        keys = np.array(ordered)
        found = (np.searchsorted(keys, v) for v in _values(table, name, used))
    else:
        ranks = {text: k for k, text in enumerate(ordered)}
        places = np.array([ranks.get(text, -1) for text in texts], np.int64)
        found = (places[v] for v in _values(table, name, used))
    return [table.scratch.append(v.astype(np.int64)) for v in found], classes


def _sampled(scratch: Scratch, pieces: list[Piece], every: int) -> NDArray[Any]:
    """Return evenly spaced values of all batches."""
    found, first = [], 0
    for piece in pieces:
        found.append(scratch.read(piece)[-first % every :: every])
        first += piece.count
    return np.concatenate(found)


def _assigned(
    plan: TabularPlan, scratch: Scratch, y: list[Piece], place: list[Piece] | None
) -> tuple[list[Piece], NDArray[np.int64]]:
    """Return, batch by batch, the client of each row; and how many rows each has."""
    rows = sum(piece.count for piece in y)
    every = spacing(rows)
    values = _sampled(scratch, y, every)
    quarters = quarters_of(values) if values.dtype == np.float64 else None
    assignment = Assignment.of(
        plan,
        rows=rows,
        strata=strata_of(values, quarters),
        owner=None if place is None else _sampled(scratch, place, every).astype(np.int64),
    )
    rng = np.random.default_rng([plan.seed, 2])
    found, counts, first = [], np.zeros(plan.clients + 1, np.int64), 0
    for k, piece in enumerate(y):
        strata = strata_of(scratch.read(piece), quarters)
        owner = None if place is None else scratch.read(place[k]).astype(np.int64)
        clients = assignment.clients(first, strata, owner, rng)
        found.append(scratch.append(clients))
        counts += np.bincount(clients, minlength=len(counts))
        first += piece.count
    return found, counts


def _arranged(
    table: Spilled,
    columns: tuple[str, ...],
    used: list[Piece],
    y: list[Piece],
    clients: list[Piece],
    counts: NDArray[np.int64],
    watch: Watch,
) -> Store:
    """Write each client's rows beside each other, in the file's order."""
    starts = tuple(accumulate(counts.tolist(), initial=0))
    scratch, old = Scratch(), table.scratch
    pieces = {
        name: scratch.reserve(starts[-1], table.pieces[name][0].dtype) for name in columns
    }
    pieces[""] = scratch.reserve(starts[-1], y[0].dtype)
    filled = np.array(starts[:-1])
    for k, piece in enumerate(clients):
        watch("dividing", k, len(clients))
        whose = old.read(piece)
        order = np.argsort(whose, kind="stable")
        sizes = np.bincount(whose, minlength=len(counts))
        marks = old.read(used[k])
        for name, room in pieces.items():
            values = old.read(table.pieces[name][k])[marks] if name else old.read(y[k])
            runs = np.split(values[order], np.cumsum(sizes)[:-1])
            for start, run in zip(filled.tolist(), runs, strict=True):
                if len(run):
                    scratch.write(room.part(start, start + len(run)), run)
        filled += sizes
    return Store(
        levels={name: table.levels[name] for name in columns if name in table.levels},
        scratch=scratch,
        names=columns,
        pieces=pieces,
        starts=starts,
    )
