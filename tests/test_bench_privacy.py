"""`parity bench privacy`: what it reports, not how fast this machine is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from parity_flwr.app.bench.privacy_he import Federation, measure_nvflare, measure_ours
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
}


def test_json_holds_the_figures(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "privacy", "--quick", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert set(result) >= FIGURES
    assert all(result[name] > 0 for name in FIGURES)
    assert result["machine"]["quick"] is True
    assert result["he.max_error"] <= 2 / 2**15  # range over 2^15
    assert result["he.vs_nvflare_bytes"] < 1 / 7


def test_the_table_is_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "privacy", "--quick"]) == 0
    out, progress = capfd.readouterr()
    assert "he.vs_nvflare_cpu" in out
    assert "he: done" in progress


def test_both_ways_compute_the_same_sum() -> None:
    federation = Federation(n=3, d=20_000)  # layers of more than one vector's slots stay whole
    ours, theirs = measure_ours(federation, repeat=1), measure_nvflare(federation, 1)
    assert np.shape(federation.rows) == (3, 20_000)
    assert ours.max_error <= 2 / 2**15
    assert theirs.max_error < 1e-6
    assert ours.up_bytes < theirs.up_bytes / 10
    assert ours.round_bytes > ours.up_bytes + ours.down_bytes
