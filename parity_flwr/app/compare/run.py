"""A whole comparison: what is missing runs, everything is written, the results come back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from parity_flwr.app.compare.plan import Cell, Plan
from parity_flwr.app.compare.plot import draw
from parity_flwr.app.compare.store import Record, ResultFolder, finished
from parity_flwr.app.compare.summary import markdown
from parity_flwr.app.compare.workers import run_cells
from parity_flwr.files import atomic_file

BY_ROUND: Final = ("curve", "attackers_share")
"""Fields with a number for every round: in the results' file only."""

Progress = Callable[[int, int], None]
"""Gets how many runs are done, and of how many."""


@dataclass(frozen=True)
class Comparison:
    """What a comparison ended with: the records of the plan's cells, and where they lie."""

    records: tuple[Record, ...]
    results: Path
    table: Path
    plot: Path

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, as ``parity compare --json`` prints it."""
        return {
            "cells": [
                {key: value for key, value in record.items() if key not in BY_ROUND}
                for record in self.records
            ],
            "results": str(self.results),
            "table": str(self.table),
            "plot": str(self.plot),
        }


def compare(
    plan: Plan, output: Path, *, jobs: int, resume: bool = False, on_progress: Progress
) -> Comparison:
    """Run the cells of the plan that the folder does not hold yet.

    Parameters
    ----------
    plan : Plan
        What is compared.
    output : Path
        The folder to write to.
    jobs : int
        Number of processes.
    resume : bool
        Whether to go on in a folder that holds results.
    on_progress : callable
        Called before the first run and after each.

    Raises
    ------
    ConfigError, DataError
        As in :class:`ResultFolder` and :func:`load_samples`.
    RunError
        If a process died.
    """
    folder = ResultFolder(output.absolute())
    done = finished(folder.open(plan, resume=resume))
    pending = _pending(plan, done)
    on_progress(0, len(pending))
    if pending:
        results = run_cells(plan, list(pending), jobs=jobs)
        for count, (work, outcome) in enumerate(results, start=1):
            fresh = [_record(cell, outcome) for cell in pending[work]]
            folder.append(fresh)
            done.update(finished(fresh))
            on_progress(count, len(pending))
    return _conclude(folder, [done[cell] for cell in plan.cells()])


def _pending(plan: Plan, done: Mapping[Cell, Record]) -> dict[Cell, list[Cell]]:
    """Return the runs to make, each with the cells that it answers."""
    pending: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in plan.cells():
        if cell not in done:
            pending[cell.work].append(cell)
    return pending


def _record(cell: Cell, outcome: Mapping[str, Any]) -> Record:
    """Return the line of a cell as it will be read: lists, not tuples."""
    return dict(json.loads(json.dumps({**asdict(cell), **outcome})))


def _conclude(folder: ResultFolder, records: Sequence[Record]) -> Comparison:
    table = folder.write("table.md", markdown(records))
    plot = folder.path / "plot.png"
    with atomic_file(plot) as file:
        file.write(draw(records))
    return Comparison(tuple(records), folder.results, table, plot)
