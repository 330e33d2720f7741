"""The process that measures: started by :mod:`parity_flwr.app.bench.running`."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TextIO

from parity_flwr.app.bench.aggregate import bench
from parity_flwr.app.bench.privacy import bench_privacy
from parity_flwr.app.engines.task_identity import task_identity


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _own_stdout() -> TextIO:
    """Return stdout for ourselves; libraries that print from C++ (TenSEAL) get nowhere."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return out


def main() -> None:
    """Read what to measure from stdin as JSON, write the result to stdout as JSON."""
    given = json.load(sys.stdin)
    out = _own_stdout()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    with task_identity(1):
        if given.get("what") == "privacy":
            result = bench_privacy(quick=bool(given["quick"]), report=_report)
        else:
            sizes = [(int(n), int(d)) for n, d in given["sizes"]]
            result = bench(
                sizes,
                repeat=int(given["repeat"]),
                report=_report,
                only=[str(name) for name in given["only"]],
            )
    with out:
        json.dump(result, out, allow_nan=False)


if __name__ == "__main__":
    main()
