"""Send what foreign code prints and logs to a file for a while."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

_FORMAT = "%(levelname)s: %(message)s"


@contextmanager
def captured(path: Path) -> Iterator[None]:
    """Append standard output, standard error and Flower's log to ``path``.

    A console made before the block with an explicit ``file=sys.stdout`` still writes to
    the terminal.
    """
    logger = logging.getLogger("flwr")
    handlers, propagate = logger.handlers, logger.propagate
    with path.open("a", encoding="utf-8", buffering=1, errors="replace") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.handlers, logger.propagate = [handler], False
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield
        finally:
            logger.handlers, logger.propagate = handlers, propagate
