"""The process that measures: started by :mod:`parity_flwr.app.bench.running`."""

from __future__ import annotations

import json
import logging
import sys

from parity_flwr.app.bench.aggregate import bench
from parity_flwr.app.task_identity import task_identity


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> None:
    """Read sizes and repeats from stdin as JSON, write the result to stdout as JSON."""
    given = json.load(sys.stdin)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    with task_identity(1):
        sizes = [(int(n), int(d)) for n, d in given["sizes"]]
        result = bench(
            sizes,
            repeat=int(given["repeat"]),
            report=_report,
            only=[str(name) for name in given["only"]],
        )
    json.dump(result, sys.stdout, allow_nan=False)


if __name__ == "__main__":
    main()
