"""Three lines around an existing strategy: what stays as it was, and what must not change."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import (
    FedAdam,
    FedAvg,
    FedAvgM,
    FedProx,
    QFedAvg,
    Strategy,
)
from numpy.typing import NDArray

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.strategies import Reputation, ReputationFedAvg
from trust_runs import EQUAL, MODEL, bits, client_app, numbers, record, run

MAKERS: dict[str, Callable[[], Strategy]] = {
    "FedAvg": FedAvg,
    "FedAvgM": lambda: FedAvgM(server_momentum=0.9, server_learning_rate=0.5),
    "FedAdam": FedAdam,
    "FedProx": lambda: FedProx(proximal_mu=0.25),
}


EVERY: dict[str, Callable[[], Strategy]] = {
    **MAKERS,
    "QFedAvg": lambda: QFedAvg(0.1, train_loss_key="train-loss"),
}


def by_node(replies: list[Message]) -> list[Message]:
    return sorted(replies, key=lambda reply: reply.metadata.src_node_id)


def around(inner: Strategy) -> Reputation:
    return Reputation(inner, config=EQUAL, seed=1, journal=None)


@pytest.mark.parametrize("name", MAKERS)
def test_equal_trust_gives_what_the_stock_strategy_gives(name: str) -> None:
    app = client_app(examples=lambda partition: 10 + 7 * partition)
    ours, _ = run(around(MAKERS[name]()), app=app, rounds=3)
    stock, _ = run(MAKERS[name](), app=app, rounds=3)
    assert ours.arrays is not None
    assert stock.arrays is not None
    for key, array in numbers(ours.arrays).items():
        assert array.dtype == MODEL[key].dtype
        np.testing.assert_allclose(array, numbers(stock.arrays)[key], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["FedAvg", "FedAvgM", "FedProx"])
def test_equal_clients_give_the_same_bits_as_the_stock_strategy(name: str) -> None:
    ours, _ = run(around(MAKERS[name]()), clients=4, rounds=3)
    stock, _ = run(MAKERS[name](), clients=4, rounds=3, order=by_node)  # it samples at random
    assert bits(ours.arrays) == bits(stock.arrays)
    assert ours.train_metrics_clientapp == stock.train_metrics_clientapp
    assert ours.evaluate_metrics_clientapp == stock.evaluate_metrics_clientapp


def test_fedadam_s_optimiser_is_in_force() -> None:
    adam, _ = run(around(FedAdam(eta=0.5)), rounds=1)
    plain, _ = run(around(FedAvg()), rounds=1)
    moved = numbers(adam.arrays)["a.bias"] - MODEL["a.bias"]
    mean = numbers(plain.arrays)["a.bias"] - MODEL["a.bias"]
    # One step by hand: m = 0.1 d, v = 0.01 d^2, eta' = 0.5 sqrt(1 - 0.99^2) / (1 - 0.9^2).
    rate = 0.5 * np.sqrt(1 - 0.99**2) / (1 - 0.9**2)
    expected = rate * 0.1 * mean / (np.sqrt(0.01) * np.abs(mean) + 1e-3)
    np.testing.assert_allclose(moved, expected, rtol=1e-5)


def test_momentum_goes_on_from_round_to_round() -> None:
    constant = client_app(lambda partition, round_, array: np.asarray(array + 1, array.dtype))
    result, _ = run(around(FedAvgM(server_momentum=0.5)), app=constant, rounds=3)
    # Each round's mean update is 1: steps of 1, 1.5 and 1.75.
    moved = numbers(result.arrays)["a.bias"] - MODEL["a.bias"]
    np.testing.assert_allclose(moved, 1 + 1.5 + 1.75, rtol=1e-6)


def test_proximal_mu_and_the_round_reach_the_clients() -> None:
    _, grid = run(around(FedProx(proximal_mu=0.25)), train_config=ConfigRecord({"lr": 0.1}))
    configs = [dict(m.content.config_records["config"]) for m in grid.messages("train")]
    assert [each["server-round"] for each in configs] == [1] * 5 + [2] * 5
    assert all(each["proximal-mu"] == 0.25 and each["lr"] == 0.1 for each in configs)
    assert len({str(each["parity-run"]) for each in configs}) == 1


@pytest.mark.parametrize("name", EVERY)
def test_nothing_of_the_caller_s_is_changed(name: str) -> None:
    inner = EVERY[name]()
    before = copy.deepcopy(vars(inner))
    train, evaluate = ConfigRecord({"lr": 0.1}), ConfigRecord({"batch": 8})
    arrays = record(MODEL)
    sent = bits(arrays)
    strategy = around(inner)
    with InProcessGrid(client_app(), 4) as grid:
        strategy.start(grid, arrays, 2, train_config=train, evaluate_config=evaluate)
    assert vars(inner) == before
    assert dict(train) == {"lr": 0.1}
    assert dict(evaluate) == {"batch": 8}
    assert bits(arrays) == sent


def test_qfedavg_which_takes_its_record_apart_still_trains() -> None:
    app = client_app(metrics={"train_loss": 0.5})
    result, _ = run(around(QFedAvg(0.1)), app=app, rounds=2)
    moved = numbers(result.arrays)["a.bias"] - MODEL["a.bias"]
    assert (moved > 0).all()


def test_each_phase_returns_a_list_sorted_by_identity() -> None:
    seen: list[Iterable[Message]] = []

    class Recording(Reputation):
        def configure_train(
            self, server_round: int, arrays: Any, config: Any, grid: Any
        ) -> Iterable[Message]:
            seen.append(super().configure_train(server_round, arrays, config, grid))
            return seen[-1]

        def configure_evaluate(
            self, server_round: int, arrays: Any, config: Any, grid: Any
        ) -> Iterable[Message]:
            seen.append(super().configure_evaluate(server_round, arrays, config, grid))
            return seen[-1]

    run(Recording(FedAvg(), seed=1, journal=None), clients=12, rounds=1)
    for messages in seen:
        assert isinstance(messages, list)
        nodes = [message.metadata.dst_node_id - 1000 for message in messages]
        assert nodes == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]


def test_phases_have_their_own_fractions() -> None:
    inner = FedAvg(fraction_train=0.5, fraction_evaluate=0.2, min_evaluate_nodes=1)
    _, grid = run(around(inner), clients=10, rounds=1)
    assert len(grid.asked("train")) == 5
    assert len(grid.asked("evaluate")) == 2


def test_rules_that_ignore_weights_get_the_filtered_replies_only() -> None:
    class Counting(FedAvg):
        def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
            self.seen = [each.metadata.src_node_id - 1000 for each in list(replies)]
            return super().aggregate_train(server_round, replies)

    def broken(reply: Message) -> list[Message]:
        reply.content.metric_records["metrics"]["num-examples"] = -1
        return [reply]

    strategy = around(Counting())
    run(strategy, spoil={2: broken}, rounds=1)
    assert vars(strategy.inner)["seen"] == [0, 1, 3, 4]


def test_names_in_the_messages_are_the_caller_s() -> None:
    strategy = ReputationFedAvg(
        weighted_by_key="n",
        arrayrecord_key="model",
        configrecord_key="options",
        seed=1,
        journal=None,
    )

    class Renamed(FedAvg):
        def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
            self.names = [list(each.content) for each in list(replies)]
            return super().aggregate_train(server_round, replies)

    inner = Renamed(weighted_by_key="n", arrayrecord_key="model", configrecord_key="options")
    outer = Reputation(inner, config=EQUAL, seed=1, journal=None)
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Any) -> Message:
        arrays: ArrayRecord = message.content.array_records["model"]
        assert message.content.config_records["options"]["server-round"] == 1
        content = RecordDict({"whatever": arrays, "told": MetricRecord({"n": 3})})
        return Message(content, reply_to=message)

    result, grid = run(outer, app=app, rounds=1)
    assert vars(outer.inner)["names"] == [["model", "metrics"]] * 5
    np.testing.assert_allclose(numbers(result.arrays)["a.bias"], 0)
    assert {name for m in grid.messages("train") for name in m.content} == {"model", "options"}
    assert strategy.inner.__dict__["arrayrecord_key"] == "model"


def test_score_function_and_rule_are_extension_points() -> None:
    scored: list[tuple[int, list[str]]] = []

    def score(round_: int, arrays: Any) -> float:
        scored.append((round_, list(arrays)))
        bias: NDArray[Any] = arrays["a.bias"]
        return 1.0 if bias.mean() < 0.105 else 0.0

    strategy = Reputation(FedAvg(), seed=1, journal=None, score=score)
    run(strategy, rounds=1)
    assert scored == [(1, list(MODEL))] * 5
