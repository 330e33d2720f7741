"""Importing Ethereum's libraries without what they do to the whole process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_recursion_limit() -> Iterator[None]:
    """Put Python's recursion limit back after an import.

    py-ecc (which eth-account brings) sets it to 100,000 and py-evm to 12,288 when they are
    imported, for every thread. From then on a JSON text of 100,000 brackets, which anybody
    may send, ends the process with a segmentation fault instead of a RecursionError.
    """
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
