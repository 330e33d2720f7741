"""What an engine needs on this machine before it can start."""

from __future__ import annotations

import importlib.util
import os

from parity_flwr.app.engines.engine import Engine
from parity_flwr.errors import MissingExtraError


def workers_of(engine: Engine, *, clients: int) -> int:
    """Return how many processes play clients on this machine.

    Raises
    ------
    MissingExtraError
        The engine is not installed.
    """
    if engine is not Engine.SIMULATION:
        return 0
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError("the simulation engine", extra="sim")
    return min(clients, os.cpu_count() or 1)
