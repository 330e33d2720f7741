"""`parity bench aggregate`: what it reports, not how fast this machine is."""

from __future__ import annotations

import gc
import json

import numpy as np
import pytest

from parity_flwr.app.bench.cases import byzfl_cases, our_cases
from parity_flwr.app.bench.running import run_bench
from parity_flwr.app.bench.timing import Supplied, cpu_seconds, extra_mib
from parity_flwr.app.bench.workload import Workload
from parity_flwr.app.engines.task_identity import task_identity
from parity_flwr.cli.main import execute
from parity_flwr.errors import RunError

RATIOS = {
    "reputation_vs_flwr_multikrum",
    "reputation_vs_flwr_fedmedian",
    "reputation_vs_flwr_fedavg",
    "reputation_vs_floor",
    "median_vs_flwr",
    "trimmed_vs_flwr",
    "krum_vs_flwr",
    "multikrum_vs_flwr",
    "bulyan_vs_flwr",
}


def test_json_holds_cases_and_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--clients", "11", "--clients", "12", "--parameters", "300", "--repeat", "1"]
    assert execute(["bench", "aggregate", "--json", *options]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["cases"][0]) == {"name", "impl", "n", "d", "cpu_s", "extra_mib"}
    assert {each["n"] for each in result["cases"]} == {11, 12}
    names = {(each["impl"], each["name"]) for each in result["cases"]}
    assert {("floor", "one_pass"), ("messages", "hash"), ("parity", "reputation")} <= names
    assert set(result["ratios"]) >= RATIOS
    assert all(value > 0 for value in result["ratios"].values())
    assert [each["n"] for each in result["ratios_by_size"]] == [11, 12]
    assert result["machine"]["threads"] == 1


def test_the_table_is_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "aggregate", "--clients", "11", "--parameters", "64"]) == 0
    out, progress = capfd.readouterr()
    assert "our time over theirs, n = 11, d = 64" in out
    assert "reputation_vs_flwr_fedavg" in out
    assert "flwr:multi_krum n=11" in progress


def test_a_failed_measurement_is_an_error() -> None:
    with pytest.raises(RunError, match="exit code"):
        run_bench([(0, 10)], repeat=1)


def test_all_implementations_see_the_same_numbers() -> None:
    with task_identity(1):
        work = Workload(11, 100)
        assert (work.rows.n, work.rows.d, work.byzantine) == (11, 100, 2)
        sent = work.replies[3].content.array_records["arrays"]
        flat = np.concatenate([array.numpy() for array in sent.values()])
        np.testing.assert_array_equal(work.matrix()[3], flat)
        cases = our_cases(work)
        mean, median = cases["mean"](), cases["median"]()
        np.testing.assert_allclose(np.asarray(mean), work.matrix().mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(np.asarray(median), np.median(work.matrix(), axis=0))


def test_a_rival_that_is_not_there_is_skipped_with_a_reason() -> None:
    with task_identity(1):
        found = byzfl_cases(Workload(11, 100))
    assert "median" in found if isinstance(found, dict) else "pip install" in found
    huge = byzfl_cases(Workload(1000, 10**6))
    assert isinstance(huge, str)
    assert "memory" in huge


def test_timing_counts_the_processor_and_the_peak() -> None:
    assert 0 <= cpu_seconds(lambda: None, repeat=3) < 0.1
    assert extra_mib(lambda: np.zeros(1 << 20)) == pytest.approx(8, abs=0.2)


def test_what_a_call_is_supplied_with_is_not_timed() -> None:
    made: list[int] = []

    def supply() -> list[int]:
        made.append(sum(range(2_000_000)))
        return made

    case = Supplied(supply, len)
    assert cpu_seconds(case, repeat=3) < 0.01
    assert len(made) == 4  # one call does not count
    assert extra_mib(Supplied(lambda: np.zeros(1 << 20), np.sum)) < 1
    assert case() == 5
    assert gc.isenabled()


def test_only_the_named_cases_run(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--clients", "5", "--parameters", "64", "--case", "mean", "--case", "one_pass"]
    assert execute(["bench", "aggregate", "--json", *options]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in result["cases"]} == {"mean", "one_pass"}
    assert "mean_vs_flwr" in result["ratios"]
