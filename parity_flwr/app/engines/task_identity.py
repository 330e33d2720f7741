"""Flower's global task identity, borrowed for a while: its messages cannot be made without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.supercore.task_identity import TaskIdentity

_FIELDS = ("_run_id", "_task_id", "_node_id")  # the public properties raise when unset


@contextmanager
def task_identity(run_id: int, *, node_id: int = SUPERLINK_NODE_ID) -> Iterator[None]:
    """Let this process make Flower messages, and put the old identity back at the end.

    Examples
    --------
    >>> from flwr.app import Message, RecordDict
    >>> with task_identity(7):
    ...     Message(RecordDict(), 1000, "train").metadata.run_id
    7
    """
    before = {name: getattr(TaskIdentity, name) for name in _FIELDS}
    try:
        for name, value in zip(_FIELDS, (run_id, run_id, node_id), strict=True):
            setattr(TaskIdentity, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(TaskIdentity, name, value)
