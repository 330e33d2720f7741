"""`parity bench privacy`: what it reports, not how fast this machine is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from parity_flwr.app.bench.privacy_he import Federation, measure_nvflare, measure_ours
from parity_flwr.app.datasets import digits
from parity_flwr.cli.main import execute

FIGURES = {
    "he.encrypt_params_s",
    "he.decrypt_params_s",
    "he.bytes_per_param",
    "he.max_error",
    "he.vs_nvflare_cpu",
    "he.vs_nvflare_bytes",
    "secagg.client_s",
    "secagg.server_s",
    "secagg.bytes_per_param",
    "secagg.vs_flwr",
    "secagg.vs_flwr_few",
}


def test_json_holds_the_figures(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "privacy", "--quick", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert set(result) >= FIGURES
    assert all(result[name] > 0 for name in FIGURES)
    assert result["machine"]["quick"] is True
    assert result["he.max_error"] <= 2 / 2**15  # range over 2^15
    assert result["he.vs_nvflare_bytes"] < 1 / 7
    assert list(result["skipped"]) == ["dp"]
    assert "--data DIR" in result["skipped"]["dp"]


def test_the_table_is_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "privacy", "--quick", "--part", "he", "--part", "dp"]) == 0
    out, progress = capfd.readouterr()
    assert "he.vs_nvflare_cpu" in out
    assert "secagg" not in out
    assert "dp: needs a folder with mnist.npz" in out
    assert "he: done" in progress


def test_accuracy_against_epsilon_needs_a_folder_of_images(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """scikit-learn's digits under the name of the file that the command reads."""
    x, y = digits()
    with (tmp_path / "mnist.npz").open("wb") as file:
        np.savez(file, x_train=x[:1500], y_train=y[:1500], x_test=x[1500:], y_test=y[1500:])
    asked = ["bench", "privacy", "--quick", "--part", "dp", "--data", str(tmp_path)]
    assert execute([*asked, "--json"]) == 0
    out, progress = capfd.readouterr()
    found = json.loads(out)
    names = {"dp.none", "dp.fedavg.1", "dp.local.1", "dp.example.1"}
    assert set(found) == names | {"dp.runs", "skipped", "machine", "what"}
    assert all(0 <= found[name] <= 1 for name in names)
    assert found["dp.none"] > 0.5
    assert found["dp.runs"]["examples"] == 1500
    assert "dp.example.1, seed 0" in progress
    (tmp_path / "mnist.npz").write_bytes(b"nothing")
    assert execute(asked) != 0


def test_both_ways_compute_the_same_sum() -> None:
    federation = Federation(n=3, d=20_000)  # layers of more than one vector's slots stay whole
    ours, theirs = measure_ours(federation, repeat=1), measure_nvflare(federation, 1)
    assert np.shape(federation.rows) == (3, 20_000)
    assert ours.max_error <= 2 / 2**15
    assert theirs.max_error < 1e-6
    assert ours.up_bytes < theirs.up_bytes / 10
    assert ours.round_bytes > ours.up_bytes + ours.down_bytes
