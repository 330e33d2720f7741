"""The process that measures: started by :mod:`parity_flwr.app.bench.running`."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from parity_flwr.app.bench.aggregate import bench
from parity_flwr.app.bench.forest import bench_forest
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
        result = _MEASURES[given["what"]](given)
    with out:
        json.dump(result, out, allow_nan=False)


def _aggregate(given: Mapping[str, Any]) -> dict[str, Any]:
    sizes = [(int(n), int(d)) for n, d in given["sizes"]]
    only = [str(name) for name in given["only"]]
    return bench(sizes, repeat=int(given["repeat"]), report=_report, only=only)


def _privacy(given: Mapping[str, Any]) -> dict[str, Any]:
    data = Path(given["data"]) if given["data"] else None
    parts = [str(name) for name in given["parts"]]
    return bench_privacy(quick=bool(given["quick"]), report=_report, parts=parts, data=data)


def _forest(given: Mapping[str, Any]) -> dict[str, Any]:
    data = Path(given["data"]) if given["data"] else None
    return bench_forest(data, seeds=given["seeds"], report=_report)


_MEASURES = {"aggregate": _aggregate, "privacy": _privacy, "forest": _forest}


if __name__ == "__main__":
    main()
