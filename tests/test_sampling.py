"""Which nodes take part: in proportion to reputation, never the banned, bounded waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.records import Action, RoundStatus
from parity_flwr.errors import ConfigError, RunError
from parity_flwr.strategies import Reputation, ReputationFedAvg, Sampling
from parity_flwr.strategies.sampling import choose_evaluators, choose_trainers, wait_for_nodes
from trust_runs import MODEL, ListJournal, bits, client_app, record, run, state_of

CONFIG = TrustConfig()


def connected(count: int) -> dict[str, int]:
    return {f"client-{k}": 1000 + k for k in range(count)}


def frequency(
    composites: dict[str, float], *, size: int, draws: int = 4000
) -> dict[str, float]:
    rng = np.random.default_rng(1)
    state = state_of(**composites)
    drawn = Counter(
        name
        for _ in range(draws)
        for name in choose_trainers(
            state, connected(len(composites)), size=size, config=CONFIG, rng=rng
        )
    )
    return {
        name.replace("-", "_"): drawn[name.replace("_", "-")] / draws for name in composites
    }


def test_one_is_drawn_in_proportion_to_reputation() -> None:
    composites = {"client_0": 900.0, "client_1": 300.0, "client_2": 600.0, "client_3": 200.0}
    found = frequency(composites, size=1)
    for name, composite in composites.items():
        # 4000 draws: five standard deviations of a share p are 5 sqrt(p (1-p) / 4000) < 0.04
        assert found[name] == pytest.approx(composite / 2000, abs=0.04)


def test_nobody_falls_below_the_floor() -> None:
    found = frequency({"client_0": 950.0, "client_1": 0.0}, size=1)
    assert found["client_1"] == pytest.approx(50 / 1000, abs=0.02)  # 0.1 R_0 = 50


def test_banned_are_never_selected_even_if_too_few_remain() -> None:
    banned = Action(kind="ban", identity="client-2", reason="found out", sequence=1)
    journal = ListJournal(actions=[banned])
    strategy = ReputationFedAvg(seed=1, journal=journal)
    _, grid = run(strategy, clients=3, rounds=3)
    assert 2 not in grid.asked("train") + grid.asked("evaluate")
    assert journal.rounds[0].facts.actions == (banned,)
    assert journal.rounds[1].facts.actions == ()
    assert strategy.state.standings["client-2"].banned


def test_round_in_which_everybody_is_banned_is_rejected() -> None:
    actions = [
        Action(kind="ban", identity=f"client-{k}", reason="all", sequence=k + 1)
        for k in range(3)
    ]
    journal = ListJournal(actions=actions)
    result, grid = run(ReputationFedAvg(seed=1, journal=journal), clients=3, rounds=2)
    assert [each.decision.status for each in journal.rounds] == [RoundStatus.REJECTED] * 2
    assert grid.asked("train") == grid.asked("evaluate") == []
    assert bits(result.arrays) == bits(record(MODEL))
    assert journal.endings == [("failed", "no round was accepted")]


def test_pardon_lets_a_client_back_in() -> None:
    actions = [
        Action(kind="ban", identity="client-1", reason="?", sequence=1),
        Action(kind="unban", identity="client-1", reason="mistake", sequence=2),
    ]
    _, grid = run(ReputationFedAvg(seed=1, journal=ListJournal(actions=actions)), rounds=1)
    assert 1 in grid.asked("train")


def test_selection_repeats_with_the_seed_and_not_without() -> None:
    def asked(seed: int | None) -> list[int]:
        sampling = Sampling(fraction_train=0.3, fraction_evaluate=0.3)
        strategy = ReputationFedAvg(seed=seed, journal=None, sampling=sampling)
        _, grid = run(strategy, clients=20, rounds=4)
        return grid.asked("train") + grid.asked("evaluate")

    assert asked(7) == asked(7)
    assert asked(7) != asked(8)
    assert asked(None) != asked(None)
    first = asked(7)
    assert first[:6] != first[6:12]  # rounds differ
    assert first[:6] != first[24:30]  # and so do phases


def test_evaluators_are_those_with_weight() -> None:
    state = state_of(client_0=900.0, client_1=100.0, client_2=300.0)
    rng = np.random.default_rng(1)
    chosen = choose_evaluators(state, connected(3), size=3, config=CONFIG, rng=rng)
    assert chosen == ["client-0", "client-2"]
    nobody = state_of(client_0=100.0, client_1=100.0)
    chosen = choose_evaluators(nobody, connected(2), size=2, config=CONFIG, rng=rng)
    assert chosen == ["client-0", "client-1"]


@pytest.mark.parametrize(
    ("connected_nodes", "fraction", "minimum", "expected"),
    [(10, 0.5, 2, 5), (10, 0.05, 2, 2), (3, 0.5, 5, 3), (10, 0.0, 5, 0), (7, 1.0, 0, 7)],
)
def test_size_is_the_fraction_but_at_least_the_minimum(
    connected_nodes: int, fraction: float, minimum: int, expected: int
) -> None:
    sampling = Sampling(fraction_train=fraction, min_train_nodes=minimum)
    assert sampling.train_size(connected_nodes) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"fraction_train": -0.1},
        {"fraction_evaluate": 1.1},
        {"fraction_train": float("nan")},
        {"min_train_nodes": -1},
        {"node_timeout_s": -1.0},
        {"node_timeout_s": float("nan")},
    ],
)
def test_wrong_options_are_errors_in_three_parts(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name} needs .*; got .*; change {name}"):
        Sampling(**wrong)


def test_too_few_nodes_in_time_is_an_error_in_three_parts() -> None:
    sampling = Sampling(min_available_nodes=4, node_timeout_s=0.0)
    journal = ListJournal()
    with pytest.raises(
        RunError,
        match="a round needs 4 connected nodes within 0 s; got 3 nodes; start more SuperNodes",
    ):
        run(ReputationFedAvg(seed=1, journal=journal, sampling=sampling), clients=3)
    assert journal.endings[0][0] == "failed"
    assert "got 3 nodes" in journal.endings[0][1]


def test_waiting_ends_when_the_nodes_are_there() -> None:
    class Growing(InProcessGrid):
        looks = 0

        def get_node_ids(self) -> list[int]:
            self.looks += 1
            return super().get_node_ids()[: self.looks]

    now: list[float] = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with Growing(client_app(), 3) as grid:
        nodes = wait_for_nodes(grid, least=3, timeout_s=5, clock=lambda: now[0], sleep=sleep)
    assert nodes == [1000, 1001, 1002]
    assert now == [1.0]


def test_training_can_be_switched_off() -> None:
    journal = ListJournal()
    sampling = Sampling(fraction_train=0.0, min_train_nodes=0)
    strategy = ReputationFedAvg(seed=1, journal=journal, sampling=sampling)
    result, grid = run(strategy, rounds=2)
    assert grid.asked("train") == []
    assert len(grid.asked("evaluate")) == 10
    assert bits(result.arrays) == bits(record(MODEL))
    assert journal.rounds == []
    assert journal.endings == [("completed", "")]


def test_evaluation_can_be_switched_off() -> None:
    for inner in (FedAvg(fraction_evaluate=0.0), FedAvg(fraction_evaluate=1.0)):
        sampling = Sampling(fraction_evaluate=0.0)
        _, grid = run(Reputation(inner, seed=1, journal=None, sampling=sampling))
        assert grid.asked("evaluate") == []
        assert len(grid.asked("train")) == 10


def test_given_sampling_overrides_what_the_inner_strategy_says() -> None:
    inner = FedAvg(fraction_train=0.2, fraction_evaluate=0.0, min_available_nodes=99)
    strategy = Reputation(inner, seed=1, journal=None, sampling=Sampling())
    _, grid = run(strategy, rounds=1)
    assert len(grid.asked("train")) == len(grid.asked("evaluate")) == 5


def test_node_order_of_the_grid_does_not_matter() -> None:
    class Shuffled(InProcessGrid):
        def get_node_ids(self) -> list[int]:
            return super().get_node_ids()[::-1]

    def final(kind: type[InProcessGrid]) -> Iterable[Any]:
        sampling = Sampling(fraction_train=0.5)
        with kind(client_app(), 8) as grid:
            strategy = ReputationFedAvg(seed=3, journal=None, sampling=sampling)
            return bits(strategy.start(grid, record(MODEL), num_rounds=2).arrays)

    assert final(Shuffled) == final(InProcessGrid)
