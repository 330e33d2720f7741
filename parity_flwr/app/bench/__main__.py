"""The process that measures: started by :mod:`parity_flwr.app.bench.running`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from parity_flwr.app.bench.aggregate import bench
from parity_flwr.app.bench.forest import bench_forest
from parity_flwr.app.task_identity import task_identity


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> None:
    """Read sizes and repeats from stdin as JSON, write the result to stdout as JSON."""
    given = json.load(sys.stdin)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    if given.get("what") == "forest":
        data = Path(given["data"]) if given["data"] else None
        forest = bench_forest(data, seeds=given["seeds"], report=_report)
        json.dump(forest, sys.stdout, allow_nan=False)
        return
    with task_identity(1):
        sizes = [(int(n), int(d)) for n, d in given["sizes"]]
        result = bench(sizes, repeat=int(given["repeat"]), report=_report)
    json.dump(result, sys.stdout, allow_nan=False)


if __name__ == "__main__":
    main()
