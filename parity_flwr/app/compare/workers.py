"""Cells in parallel: processes of one thread each, which keep the data between cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

from parity_flwr.app.compare.data import Samples, load_samples
from parity_flwr.app.compare.plan import Cell, Plan
from parity_flwr.app.compare.simulation import simulate
from parity_flwr.app.compare.task import Federation, Task, build_task
from parity_flwr.app.environment import exported
from parity_flwr.errors import RunError

ONE_THREAD: Mapping[str, str] = MappingProxyType(
    {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
)


def run_cells(plan: Plan, cells: Sequence[Cell], *, jobs: int) -> Iterator[tuple[Cell, Any]]:
    """Run the cells and yield each with its result as plain data, as they are finished.

    A result does not depend on ``jobs``: each process has one thread, in BLAS too.

    Raises
    ------
    RunError
        If a process dies; what was finished has been yielded.
    """
    with exported(ONE_THREAD), _pool(min(jobs, len(cells))) as pool:
        futures: dict[Future[dict[str, Any]], Cell] = {
            pool.submit(run_cell, plan.federation, plan.data, cell): cell for cell in cells
        }
        try:
            for done in as_completed(futures):
                yield futures[done], done.result()
        except BrokenProcessPool as error:
            raise RunError(
                "every cell needs a process that lives",
                came="a process that died, for lack of memory perhaps",
                action="lower --jobs and carry on with --resume",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def run_cell(federation: Federation, data: Path | None, cell: Cell) -> dict[str, Any]:
    """Run one cell in this process."""
    outcome = simulate(
        _task(federation, data, cell.partition, cell.seed),
        strategy=cell.strategy,
        attack=cell.attack,
        fraction=cell.fraction,
    )
    return asdict(outcome)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # a fork would inherit the parent's BLAS threads, and torch does not survive one
    return ProcessPoolExecutor(max(jobs, 1), mp_context=get_context("spawn"))


@lru_cache(maxsize=1)
def _samples(dataset: str, data: Path | None) -> Samples:
    """Read the data once in each process."""
    return load_samples(dataset, data)


@lru_cache(maxsize=4)
def _task(federation: Federation, data: Path | None, partition: str, seed: int) -> Task:
    """Divide the data and draw the batches once for neighbouring cells."""
    samples = _samples(federation.dataset, data)
    return build_task(federation, samples, partition=partition, seed=seed)
