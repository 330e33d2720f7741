"""`parity bench forest`: one seed on the data that ships with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity_flwr.app.bench.forest import bench_forest
from parity_flwr.errors import ConfigError

pytest.importorskip("sklearn")


@pytest.mark.slow
def test_without_a_folder_it_measures_breast_cancer_alone() -> None:
    lines: list[str] = []
    (case,) = bench_forest(None, seeds=1, report=lines.append)["cases"]
    assert (case["name"], case["rows"], case["seeds"], len(lines)) == (
        "breast_cancer",
        569,
        1,
        1,
    )
    assert 85 < case["federated"] <= 100
    assert case["lost_to_liars"] == pytest.approx(case["honest"] - case["attacked"], abs=0.002)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    from parity_flwr.app.bench import forest

    with pytest.raises(ConfigError, match=r"support2\.csv\.gz"):
        forest._load(forest.CASES[1], tmp_path)
