"""The benchmark of secure aggregation measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from parity_flwr.app.bench.own_secagg import OwnSecagg
from parity_flwr.app.bench.privacy_secagg import SecaggCase, SecaggFigures, measure_secagg
from parity_flwr.app.bench.rival_secagg import FlowerSecagg


def test_both_rounds_give_the_mean_of_the_updates() -> None:
    updates = [np.full(50, 0.1 * k, np.float32) for k in range(5)]
    ours, theirs = OwnSecagg(updates), FlowerSecagg(updates, shares=5)
    assert ours.run() == pytest.approx(0.2, abs=1e-7)
    assert theirs.run() == pytest.approx(0.2, abs=1e-4)
    assert ours.bytes_sent > 200
    assert min(ours.client_s, ours.server_s, theirs.client_s, theirs.server_s) > 0


def test_keys_and_the_worst_ratio_by_hand() -> None:
    case = SecaggCase(
        clients=10, parameters=100, client_s=1.0, server_s=3.0, flower_client_s=4.0,
        flower_server_s=6.0, bytes_per_param=4.0, max_error=0.0,
    )  # fmt: skip
    assert SecaggFigures((case,)).to_json() == {
        "secagg.client_s": 1.0,
        "secagg.server_s": 3.0,
        "secagg.bytes_per_param": 4.0,
        "secagg.vs_flwr": 0.5,
    }


@pytest.mark.slow
def test_ours_costs_no_more_than_flowers() -> None:
    figures = measure_secagg(quick=True, repeat=1).to_json()
    assert figures["secagg.vs_flwr"] <= 1.0
    assert figures["secagg.bytes_per_param"] <= 4.1
