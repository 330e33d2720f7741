"""Drill: a table of gigabytes through `parity run` in bounded memory.

``python tests/drill_big_table.py --gigabytes 0.5,5 --model linear`` writes a CSV file of
each size into a temporary folder, runs each model on it in a process of its own, prints one
line of JSON for each run, and fails if one needed more memory than the bound.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from measured_commands import parity

BOUND_MIB = 2048
"""Peak resident memory of a run, whatever the size of the file."""

COLUMNS, BATCH = 20, 100_000
_DISTINCT = 1 << 28


def write_table(path: Path, size: int, *, seed: int = 0) -> int:
    """Write a CSV file of about so many bytes and return its number of rows.

    Twenty numbers (one in twenty missing in the first), two columns of texts, ids, a class
    ``sick`` and a number ``cost`` that both follow from the first numbers. After a quarter of
    a gigabyte the rows repeat: more are not needed, and take long to make.
    """
    from pyarrow import csv

    rng, rows = np.random.default_rng(seed), 0
    with path.open("wb") as file:
        while file.tell() < min(size, _DISTINCT):
            csv.write_csv(_batch(rng, rows), file, csv.WriteOptions(include_header=not rows))
            rows += BATCH
    body = path.read_bytes().split(b"\n", 1)[1]
    with path.open("ab") as file:
        copies = max(0, round((size - file.tell()) / len(body)))
        for _ in range(copies):
            file.write(body)
    return rows * (1 + copies)


def _batch(rng: np.random.Generator, first: int) -> Any:
    import pyarrow as pa

    x = rng.normal(size=(BATCH, COLUMNS)).round(4)
    score = x[:, 0] - 2 * x[:, 1] + 0.5 * x[:, 2] + rng.normal(size=BATCH)
    shown = np.where(rng.random(BATCH) < 0.05, np.nan, x[:, 0])
    columns: dict[str, Any] = {"x0": pa.array(shown, from_pandas=True)}
    columns |= {f"x{k}": x[:, k] for k in range(1, COLUMNS)}
    columns["town"] = np.char.add("t", rng.integers(0, 50, BATCH).astype(str))
    columns["colour"] = np.array(["red", "green", "blue"])[rng.integers(0, 3, BATCH)]
    columns["id"] = np.char.add("p", np.arange(first, first + BATCH).astype(str))
    columns["sick"] = np.array(["no", "yes"])[(score > 0).astype(int)]
    columns["cost"] = score.round(3)
    return pa.table(columns)


def run_table(path: Path, model: str, folder: Path, *, extra: tuple[str, ...] = ()) -> Any:
    """Run one model in a process of its own; return its result, seconds and peak MiB."""
    target = "cost" if model == "linear" else "sick"
    words = ["run", str(path), "--target", target, "--model", model]
    words += ["--clients", "10", "--rounds", "3", *extra]
    started = time.perf_counter()
    home = {"PARITY_HOME": str(folder / "home"), "TMPDIR": str(folder)}
    done = parity(*words, variables=home)
    if done.code:
        raise SystemExit(str(done.result))
    result = done.result
    return {
        "model": model,
        "megabytes": path.stat().st_size >> 20,
        "train_rows": result["train_rows"],
        "test_rows": result["test_rows"],
        "inputs": result["inputs"],
        "metrics": result["metrics"],
        "peak_mib": done.peak_bytes >> 20,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> int:
    """Run the drill and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", default="0.5,1,5")
    parser.add_argument("--model", default="linear,logistic,neural_network,random_forest")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    worst = 0
    for size in map(float, given.gigabytes.split(",")):
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            path = Path(name) / "big.csv"
            rows = write_table(path, int(size * (1 << 30)))
            for model in given.model.split(","):
                found = {"rows": rows, **run_table(path, model, Path(name))}
                worst = max(worst, found["peak_mib"])
                sys.stdout.write(json.dumps(found) + "\n")
                sys.stdout.flush()
    return int(worst > BOUND_MIB)


if __name__ == "__main__":
    sys.exit(main())
