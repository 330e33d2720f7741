"""The benchmark of secure aggregation measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from parity_flwr.app.bench.own_secagg import OwnSecagg
from parity_flwr.app.bench.privacy_secagg import (
    Costs,
    SecaggCase,
    SecaggFigures,
    measure_secagg,
)
from parity_flwr.app.bench.rival_secagg import FlowerSecagg


def test_both_rounds_give_the_mean_of_the_updates() -> None:
    updates = [np.full(50, 0.1 * k, np.float32) for k in range(5)]
    own, rival = OwnSecagg(updates), FlowerSecagg(updates, shares=5)
    assert own.run() == pytest.approx(0.2, abs=1e-7)
    assert rival.run() == pytest.approx(0.2, abs=1e-4)
    ours, theirs = own.meter, rival.meter
    assert 5000 > ours.up_bytes > 4 * 50
    assert theirs.up_bytes > 8 * 50
    assert min(ours.down_bytes, theirs.down_bytes) > 500
    assert min(ours.client_s, ours.server_s, theirs.client_s, theirs.server_s) > 0


def test_keys_and_the_worst_ratio_by_hand() -> None:
    case = SecaggCase(
        clients=10,
        parameters=100,
        ours=Costs(client_s=1.0, server_s=3.0, up=4.0, down=0.5),
        flower=Costs(client_s=4.0, server_s=6.0, up=8.0, down=0.1),
        flower_few=Costs(client_s=1.0, server_s=2.0, up=8.0, down=0.1),
        max_error=0.0,
    )
    found = SecaggFigures((case,)).to_json()
    (only,) = found.pop("secagg.cases")
    assert only["flower_few"]["server_s"] == 2.0
    assert found == {
        "secagg.client_s": 1.0,
        "secagg.server_s": 3.0,
        "secagg.bytes_per_param": 4.0,
        "secagg.down_bytes_per_param": 0.5,
        "secagg.vs_flwr": 0.5,
        "secagg.vs_flwr_few": 1.5,
        "secagg.flwr_bytes_per_param": 8.0,
    }


@pytest.mark.slow
def test_ours_costs_no_more_than_flowers() -> None:
    figures = measure_secagg(quick=True, repeat=1).to_json()
    assert figures["secagg.vs_flwr"] <= 1.0
    assert figures["secagg.bytes_per_param"] <= 4.1
