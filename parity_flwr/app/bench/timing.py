"""CPU time and extra memory of one call."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

_SLOW_S = 2.0  # a call that takes longer counts once


def cpu_seconds(function: Callable[[], object], *, repeat: int) -> float:
    """Return the median CPU seconds of a call, after one that does not count.

    CPU time, because other processes on the machine stretch the wall clock.
    """
    first = _once(function)  # pays for fresh memory pages, which can double it
    return statistics.median(_once(function) for _ in range(repeat if first < _SLOW_S else 1))


def _once(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def extra_mib(function: Callable[[], object]) -> float:
    """Return the most memory that a call holds at once beyond what was there, in MiB."""
    tracemalloc.start()
    try:
        function()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return round(peak / 2**20, 1)
