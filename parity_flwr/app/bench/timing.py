"""CPU time and extra memory of one call."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SLOW_S = 2.0  # a call that takes longer counts once

Case = Callable[[], object]


@dataclass(frozen=True)
class Supplied:
    """A call whose argument is made anew before each one, outside of the time."""

    supply: Callable[[], Any]
    use: Callable[[Any], object]

    def __call__(self) -> object:
        """Make the argument and use it."""
        return self.use(self.supply())


def cpu_seconds(function: Case, *, repeat: int) -> float:
    """Return the median CPU seconds of a call, after one that does not count.

    CPU time, because other processes on the machine stretch the wall clock; without garbage
    collection, as in `timeit`, or a thousand messages set off collections of everything that
    was ever imported, now in this call and now in that.
    """
    first = _once(function)  # pays for fresh memory pages, which can double it
    return statistics.median(_once(function) for _ in range(repeat if first < _SLOW_S else 1))


def _once(function: Case) -> float:
    call = _supplied(function)
    collecting = gc.isenabled()
    gc.disable()
    try:
        started = time.process_time()
        call()
        return time.process_time() - started
    finally:
        if collecting:
            gc.enable()


def _supplied(function: Case) -> Case:
    if not isinstance(function, Supplied):
        return function
    use, given = function.use, function.supply()
    return lambda: use(given)


def extra_mib(function: Case) -> float:
    """Return the most memory that a call holds at once beyond what was there, in MiB."""
    call = _supplied(function)
    tracemalloc.start()
    try:
        call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return round(peak / 2**20, 1)
