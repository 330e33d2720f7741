"""Gas of rounds and claims: flat in the participants, and what the loop costs instead."""

from __future__ import annotations

import json

import pytest

from parity_flwr.app.bench.gas import bench_gas
from parity_flwr.cli.main import execute

pytest.importorskip("eth_tester")


def test_a_round_costs_the_same_for_everybody_and_the_loop_does_not() -> None:
    told: list[str] = []
    found = bench_gas((10, 250), report=told.append)
    assert len(told) == 2
    small, large = found["round"]["10"], found["round"]["250"]
    assert 0 < large <= 90_000
    assert abs(large - small) <= 0.01 * small
    assert 0 < found["claim"]["250"] <= 70_000 < found["new_claim"]["250"]
    assert found["naive"]["250"] > 20 * found["naive"]["10"] > 20 * small


def test_the_command_writes_gas_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "gas", "--clients", "3", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["what"] == "gas"
    assert set(shown["round"]) == set(shown["claim"]) == {"3"}
