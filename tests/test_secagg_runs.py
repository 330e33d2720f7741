"""Whole runs with secure aggregation: resume, inner strategies, wire size, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, Krum, MultiKrum, Strategy
from numpy.typing import NDArray

from parity_flwr.app.verification.verify import verify
from parity_flwr.clients import SecAggMod, parity_mods
from parity_flwr.core.records import Verdict
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import (
    Guarded,
    Reputation,
    Sampling,
    SecureAggregation,
    SecureSetup,
)
from secagg_crash import CLIENTS, ROUNDS, play
from secagg_runs import SIGNERS, plain_round, run, secagg_app
from trust_runs import MODEL, ListJournal, bits, numbers

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["share", "train", "confirm", "unmask"])
def test_run_killed_between_stages_repeats_the_round_with_fresh_keys(
    tmp_path: Path, stage: str
) -> None:
    at = "mask" if stage == "train" else stage
    command = [sys.executable, str(HERE / "secagg_crash.py"), str(tmp_path / "run"), at, "2"]
    ended = subprocess.run(command, env=os.environ, cwd=HERE, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    result, journal, keys = play(tmp_path / "run")
    expected = MODEL
    for round_ in range(1, ROUNDS + 1):
        expected = plain_round(expected, range(CLIENTS), addends=CLIENTS, round_=round_)
    found = numbers(result.arrays)
    assert all(np.array_equal(found[name], expected[name]) for name in MODEL)
    assert journal.status().status == "completed"
    assert len(keys) == len(set(keys)) == CLIENTS * 2  # rounds 2 and 3; none is repeated
    assert verify(tmp_path_folder(tmp_path)).ok


def tmp_path_folder(tmp_path: Path) -> Any:
    from parity_flwr.app.runs.folder import RunFolder

    return RunFolder(tmp_path / "run")


def test_server_optimiser_stays_in_force() -> None:
    ours = SecureAggregation(FedAdam(), journal=None, seed=1)
    result, _ = run(ours, clients=4, rounds=2)
    plain, _ = run(SecureAggregation(FedAvg(), journal=None, seed=1), clients=4, rounds=2)
    assert bits(result.arrays) != bits(plain.arrays)
    assert "m_t" in vars(ours.inner)


def test_examples_weigh_and_stay_secret() -> None:
    """n_k is capped at 40 by the clients; what is in the clear is 1 for everybody."""
    setup = SecureSetup(weight_cap=40)
    counts = {0: 10, 1: 1000, 2: 20, 3: 40}
    journal = ListJournal()
    result, grid = run(
        SecureAggregation(journal=journal, seed=1, setup=setup),
        app=secagg_app(examples=counts.__getitem__),
        clients=4,
    )
    expected = plain_round(
        MODEL, range(4), addends=4, weights=lambda k: min(counts[k], 40) / 40
    )
    found = numbers(result.arrays)
    assert all(np.array_equal(found[name], expected[name]) for name in MODEL)
    assert {fact.num_examples for fact in journal.rounds[0].facts.replies} == {1}
    for stage, _, reply in grid.seen:
        if stage == "mask":
            (metrics,) = reply.content.metric_records.values()
            assert dict(metrics) == {"num-examples": 1}


def test_update_beyond_the_range_leaves_the_round_or_is_counted() -> None:
    def loud(partition: int, round_: int, array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(array + (20 if partition == 1 else 0.5), array.dtype)

    journal = ListJournal()
    _, grid = run(
        SecureAggregation(journal=journal, seed=1), app=secagg_app(step=loud), clients=5
    )
    assert grid.refusals() == [("mask", 1)]
    assert journal.rounds[0].facts.replies[1].verdict is Verdict.QUARANTINED
    clipping = secagg_app(step=loud, mod=SecAggMod(SIGNERS, clip=True, stochastic=True))
    result, grid = run(SecureAggregation(journal=journal, seed=1), app=clipping, clients=5)
    assert grid.refusals() == []
    assert journal.rounds[1].metrics["clipped"] == 15.0  # all numbers of client 1
    moved = numbers(result.arrays)["a.bias"]
    assert moved == pytest.approx((8 + 4 * 0.5) / 5, abs=1e-6)


@pytest.mark.parametrize(
    ("clients", "size"),
    [
        (10, 200_000),
        pytest.param(10, 1_000_000, marks=pytest.mark.slow),
        pytest.param(100, 100_000, marks=pytest.mark.slow),
    ],
)
def test_four_point_one_bytes_a_parameter(clients: int, size: int) -> None:
    """Everything that one client sends in a round, packed by Flower."""
    model = {"w": np.zeros(size, np.float32)}
    sent = 0

    def still(partition: int, round_: int, array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(array + np.float32(0.25))

    result, grid = run(
        SecureAggregation(journal=None, seed=1),
        app=secagg_app(step=still),
        model=model,
        clients=clients,
    )
    for stage, partition, reply in grid.seen:
        if partition == 3 and stage not in ("evaluate", "query.parity_identity"):
            sent += len(packed(reply))
    assert sent / size <= 4.1
    assert sent / size > 4.0
    error = 8 * clients / 2**32 + 3e-8  # of the fixed point, and of a float32
    assert numbers(result.arrays)["w"] == pytest.approx(0.25, abs=error)


def packed(message: Message) -> bytes:
    from flwr.common.serde import recorddict_to_proto

    return bytes(recorddict_to_proto(message.content).SerializeToString())


class Constant(NumPyClient):
    """Adds its number to every parameter."""

    def __init__(self, number: int) -> None:
        self.number = number

    def fit(self, parameters: Any, config: Any) -> Any:
        return [each + np.float32(self.number) for each in parameters], 7, {"secret": 1.0}

    def evaluate(self, parameters: Any, config: Any) -> Any:
        return 0.5, 3, {}


def test_numpy_clients_mask_too() -> None:
    app = ClientApp(
        lambda context: Constant(int(context.node_config["partition-id"])).to_client(),
        mods=parity_mods(SIGNERS, inner=[SecAggMod(SIGNERS)]),
    )
    result, grid = run(SecureAggregation(journal=None, seed=1), app=app, clients=4, rounds=2)
    assert grid.errors == []
    assert numbers(result.arrays)["a.bias"] == pytest.approx(2 * 1.5, abs=1e-6)


def test_run_without_the_mod_fails_with_a_reason() -> None:
    from trust_runs import client_app

    journal = ListJournal()
    result, _ = run(SecureAggregation(journal=journal, seed=1), app=client_app(), clients=4)
    assert journal.endings == [("failed", "no round was accepted")]
    assert all(np.array_equal(numbers(result.arrays)[name], MODEL[name]) for name in MODEL)


@pytest.mark.parametrize(
    "inner",
    [
        Krum(num_malicious_nodes=1),
        MultiKrum(num_malicious_nodes=1, num_nodes_to_select=2),
        FedMedian(),
        Guarded(FedAvg()),
        Reputation(FedAvg(), journal=None),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_strategies_that_need_updates_are_refused(inner: Strategy) -> None:
    with pytest.raises(ConfigError, match=r"works on the mean update; got .* single updates"):
        SecureAggregation(inner, journal=None)


def test_baseline_would_not_mask_and_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs clients that mask"):
        run(SecureAggregation(journal=ListJournal(baseline=True)), clients=4)


@pytest.mark.parametrize(
    "options",
    [{"clipping_range": 0.0}, {"weight_cap": -1}, {"degree": 1.5}, {"stage_timeout_s": 0.0}],
)
def test_unusable_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SecureSetup(**options)


def test_two_clients_make_no_sum() -> None:
    journal = ListJournal()
    setup = SecureSetup(sampling=Sampling(min_train_nodes=2, min_available_nodes=2))
    run(SecureAggregation(journal=journal, seed=1, setup=setup), clients=2)
    assert journal.rounds[0].decision.status.value == "rejected"


def test_evaluation_is_untouched() -> None:
    result, _ = run(SecureAggregation(journal=None, seed=1), clients=4)
    assert result.evaluate_metrics_clientapp[1]["accuracy"] == 0.5


def test_client_context_of_another_run_is_not_confused() -> None:
    """The same clients can take part in a new run from round 1 on."""
    app = secagg_app()
    for _ in range(2):
        _, grid = run(SecureAggregation(journal=None, seed=1), app=app, clients=4)
        assert grid.refusals() == []
