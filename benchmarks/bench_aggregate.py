"""Time what a round costs beside Flower's own aggregation of the same replies.

Synthetic float32 updates; the median of the repetitions; one JSON object on stdout. Run it
on an idle machine: ``make bench`` or ``make bench ARGS="--clients 100 --parameters 1000000"``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy.multikrum import compute_distances
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords
from numpy.typing import NDArray

from parity_flwr.core.centre import geometric_median
from parity_flwr.core.distances import norms, squared_distances
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.rows import BufferRows
from parity_flwr.core.sketch import UpdateSketch

Updates = list[NDArray[np.float32]]
SKETCH_SIZE = 2048


def median_ms(function: Callable[[], object], repeat: int) -> float:
    """Return the median duration in milliseconds, after one call that does not count."""
    function()
    durations = []
    for _ in range(repeat):
        started = time.perf_counter()
        function()
        durations.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(durations), 3)


def replies_of(updates: Updates) -> list[RecordDict]:
    """Return the updates as the contents of Flower's replies."""
    metrics = {"num-examples": 100}
    return [
        RecordDict(
            {
                "arrays": ArrayRecord({"weights": Array(update)}),
                "metrics": MetricRecord(dict(metrics)),
            }
        )
        for update in updates
    ]


def cases(updates: Updates) -> dict[str, Callable[[], object]]:
    """Return what is timed, Flower's own parts first."""
    replies = replies_of(updates)
    records = [reply.array_records["arrays"] for reply in replies]
    rows = BufferRows([[update] for update in updates])
    squared, even = squared_distances(rows), np.ones(rows.n)
    sketch = UpdateSketch(bytes(32), SKETCH_SIZE)
    return {
        "flower_aggregate": lambda: aggregate_arrayrecords(replies, "num-examples"),
        "flower_krum_distances": lambda: compute_distances(records),
        "parity_squared_distances": lambda: squared_distances(rows),
        "parity_norms": lambda: norms(rows),
        "parity_geometric_median": lambda: geometric_median(squared, even),
        "parity_sketches": lambda: sketch.apply(rows),
        "parity_hashes": lambda: [model_hash({"weights": update}) for update in updates],
    }


def main() -> None:
    """Parse the options, time every case, print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--parameters", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    updates = [
        rng.standard_normal(options.parameters, dtype=np.float32)
        for _ in range(options.clients)
    ]
    result = {
        "clients": options.clients,
        "parameters": options.parameters,
        "repeat": options.repeat,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "flwr": importlib.metadata.version("flwr"),
        "median_ms": {
            name: median_ms(case, options.repeat) for name, case in cases(updates).items()
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
