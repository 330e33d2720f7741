"""Memory does not grow with the file: the drill of `drill_big_table.py` on small sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill_big_table import BOUND_MIB, run_table, write_table
from parity_flwr.app.tabular.loading import is_large

pytest.importorskip("pyarrow")

SMALL, LARGE = 66 << 20, 132 << 20
GROWTH_MIB = 300
"""Peak memory that twice the rows may cost: slices fill up until they are full, and the
allocator keeps what it once had. Held in memory they would take twice that."""


@pytest.mark.slow
def test_twice_the_rows_take_hardly_more_memory(tmp_path: Path) -> None:
    peaks = []
    for size in (SMALL, LARGE):
        path = tmp_path / "big.csv"
        rows = write_table(path, size)
        assert is_large(path)
        found = run_table(path, "linear", tmp_path)
        assert found["train_rows"] + found["test_rows"] == rows
        assert found["metrics"]["r2"] > 0.8
        peaks.append(found["peak_mib"])
        assert {each.name for each in tmp_path.iterdir()} == {"big.csv", "home"}
    assert peaks[1] - peaks[0] < GROWTH_MIB
    assert max(peaks) < BOUND_MIB
