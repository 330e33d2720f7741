"""Whether a table is held in memory, or in a scratch file."""

from __future__ import annotations

from pathlib import Path

from parity_flwr.app.tabular.arranging import stored_rows
from parity_flwr.app.tabular.data import Rows, load_rows
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.reading import COMPRESSED
from parity_flwr.app.tabular.spilling import Watch, unwatched

LARGE = 64 << 20
"""Bytes of a file from which on its table is not held in memory."""

LARGE_COMPRESSED = 1 << 20
"""The same of a compressed one: what it holds may be a thousand times as long."""


def is_large(path: Path) -> bool:
    """Say whether a file's table is kept in a scratch file."""
    most = LARGE_COMPRESSED if path.suffix in COMPRESSED else LARGE
    return path.is_file() and path.stat().st_size >= most


def load(plan: TabularPlan, *, stored: bool | None = None, watch: Watch = unwatched) -> Rows:
    """Read, check, split and divide what the plan names.

    Parameters
    ----------
    plan : TabularPlan
    stored : bool, optional
        Whether in a scratch file; by default if it is large.
    watch : callable
        Gets how far it is, where it is in a scratch file.

    Raises
    ------
    DataError
        What is wrong with the file, on one line.
    ConfigError
        If it cannot be divided as asked.
    RunError
        If the disk is full.
    """
    if is_large(plan.data) if stored is None else stored:
        return stored_rows(plan, watch=watch)
    return load_rows(plan)
