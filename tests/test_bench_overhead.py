"""`parity bench overhead`: what it reports, from a real run of both strategies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg

from parity_flwr.app.bench.overhead import summary
from parity_flwr.app.bench.overhead_app import hidden_units, strategy_of
from parity_flwr.app.bench.phases import PHASES, Stopwatch
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError
from process_tree import needs_proc


class Busy(FedAvg):
    """Computes for a while, and only as its messages are taken."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        yield from ()


def call(number: int, name: str, cpu: float, began: float, ended: float) -> dict[str, object]:
    return {"round": number, "name": name, "cpu_s": cpu, "began_s": began, "ended_s": ended}


def test_the_stopwatch_counts_what_a_phase_computes() -> None:
    strategy, watch = Busy(), Stopwatch()
    watch.watch(strategy)
    assert strategy.configure_train(3, ArrayRecord(), ConfigRecord(), None) == []  # type: ignore[arg-type]
    strategy.aggregate_train(3, [])
    first, second = watch.plain()
    assert (first["round"], first["name"], second["name"]) == (3, *PHASES[:2])
    assert 0.02 <= first["cpu_s"] < 1
    assert second["cpu_s"] < 0.02
    assert first["ended_s"] <= second["began_s"]


def test_the_first_round_does_not_count_and_rounds_touch() -> None:
    calls = [
        call(1, "configure_train", 9.0, 0.0, 9.0),
        call(2, "configure_train", 0.1, 50.0, 51.0),
        call(2, "aggregate_train", 0.2, 52.0, 53.0),
        call(3, "configure_train", 0.1, 60.0, 61.0),
        call(3, "aggregate_evaluate", 0.2, 79.0, 80.0),
    ]
    found = summary(calls)
    assert [each["wall_s"] for each in found["by_round"]] == [50.0, 10.0, 20.0]
    assert (found["wall_s"], found["cpu_s"], found["share"]) == (15.0, 0.3, 0.02)
    assert found["phases"]["configure_train"] == 0.1


def test_one_round_is_better_than_none() -> None:
    assert summary([call(1, "configure_train", 0.5, 0.0, 1.0)])["share"] == 0.5


def test_sizes_and_names() -> None:
    assert hidden_units(1) == 1
    assert 785 * hidden_units(100_000) + 10 * hidden_units(100_000) == pytest.approx(
        1e5, rel=0.01
    )
    with pytest.raises(ConfigError, match="krum"):
        strategy_of("krum", 3)


def test_too_few_clients_to_aggregate_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "aggregate", "--clients", "2"]) == 2
    assert "2 is not in the range" in capfd.readouterr().err


@pytest.mark.slow
@needs_proc
def test_both_strategies_are_timed_in_a_real_run(capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--clients", "2", "--rounds", "2", "--parameters", "8000", "--json"]
    assert execute(["bench", "overhead", *options]) == 0
    result = json.loads(capfd.readouterr().out)
    assert set(result["strategies"]) == {"fedavg", "reputation"}
    for each in result["strategies"].values():
        assert [one["round"] for one in each["by_round"]] == [1, 2]
        assert set(each["phases"]) == set(PHASES)
        assert 0 < each["cpu_s"] < each["wall_s"]
    ours = result["strategies"]["reputation"]
    assert ours["cpu_s"] > result["strategies"]["fedavg"]["cpu_s"]
    assert result["overhead"] < ours["share"]
