"""Groups that change every round: who is in them, what they say, and whole runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from parity_flwr.app.compare.contender import Setting, Submissions
from parity_flwr.app.compare.secagg_groups import Grouped, secagg_groups
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.rules import GeometricMedian, Krum
from parity_flwr.core.secagg.contributions import Window, alignments, spreads
from parity_flwr.core.secagg.regrouping import (
    GroupConfig,
    draw_groups,
    group_weights,
    observe,
    settling,
    trust_of,
)
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import SubgroupSecureAggregation
from secagg_runs import drops, plain_round, run, secagg_app
from trust_runs import MODEL, ListJournal, numbers

CONFIG = GroupConfig()


@given(st.integers(3, 80), st.integers(3, 8), st.binary(min_size=32, max_size=32))
def test_groups_divide_everybody_into_groups_of_the_least_size(
    count: int, size: int, seed: bytes
) -> None:
    names = [f"client-{k}" for k in range(count)]
    groups = draw_groups(names, memory={}, config=GroupConfig(size=size), seed=seed)
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert all(len(group) >= min(size, count) for group in groups)
    assert len(groups) == max(1, count // size)


def test_groups_depend_on_the_seed_alone() -> None:
    names = [f"client-{k}" for k in range(20)]
    first = draw_groups(names, memory={}, config=CONFIG, seed=bytes(32))
    assert first == draw_groups(names[::-1], memory={}, config=CONFIG, seed=bytes(32))
    assert first != draw_groups(names, memory={}, config=CONFIG, seed=b"1" * 32)


def remembered(bad: int, good: int = 16) -> dict[str, NDArray[Any]]:
    memory = {f"good-{k}": np.array([1.0 + 0.01 * k, 1.0, 9.0]) for k in range(good)}
    return memory | {f"bad-{k}": np.array([-1.0, 1.0, 9.0]) for k in range(bad)}


def test_suspects_share_groups_but_for_one() -> None:
    memory = remembered(4)
    groups = draw_groups(list(memory), memory=memory, config=CONFIG, seed=bytes(32))
    bad = [sum(name.startswith("bad") for name in group) for group in groups]
    assert sorted(bad) == [0, 0, 0, 1, 3]
    trust = trust_of(list(memory), memory, CONFIG)
    assert group_weights(groups, trust).tolist() == [0.0 if b else 4.0 for b in bad]


def test_trust_by_hand() -> None:
    """Alignments 1 (six times) and 0.6: spread floored at 0.1, so 4 deviations below."""
    memory = {f"{k}": np.array([1.0, 1.0, 9.0]) for k in range(6)}
    memory["low"] = np.array([0.675, 1.0, 9.0])
    memory["young"] = np.array([-4.0, 4.0, 3.0])
    trust = trust_of([*memory, "new"], memory, CONFIG)
    assert trust["low"] == pytest.approx(1 - (3.25 - 2.5) / 1.5)
    assert trust["young"] == trust["new"] == trust["0"] == 1.0


def test_regression_finds_who_makes_groups_bad() -> None:
    """Group means are the mean of +1 and -1 along one direction, with a little noise."""
    names = [f"client-{k}" for k in range(20)]
    truth = {name: -1.0 if k in (3, 11) else 1.0 for k, name in enumerate(names)}
    rng = np.random.default_rng(0)
    memory: dict[str, NDArray[np.float64]] = {}
    for round_ in range(40):
        seed = round_.to_bytes(32, "big")
        groups = draw_groups(names, memory=memory, config=CONFIG, seed=seed)
        means = np.array([[np.mean([truth[n] for n in group])] * 50 for group in groups])
        means += 0.2 * rng.standard_normal(means.shape)
        memory = observe(groups, MatrixRows(means), memory=memory, config=CONFIG)
    trust = trust_of(names, memory, CONFIG)
    doubted = {name for name, each in trust.items() if each < 0.5}
    assert {"client-3", "client-11"} <= doubted
    assert len(doubted) <= 3  # who shares their groups for long may be taken for one of them


def test_two_groups_say_nothing_about_each_other() -> None:
    memory = remembered(0, good=6)
    groups = draw_groups(
        list(memory), memory=memory, config=GroupConfig(size=3), seed=bytes(32)
    )
    after = observe(groups, MatrixRows(np.eye(2)), memory=memory, config=CONFIG)
    assert all(np.array_equal(after[name], memory[name]) for name in memory)


@pytest.mark.parametrize(
    "options", [{"size": 2}, {"window": 3}, {"settle": -1}, {"doubt": (3.0, 2.0)}]
)
def test_unusable_group_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="size >= 3"):
        GroupConfig(**options)  # type: ignore[arg-type]


def flat(model: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate([model[name].ravel().astype(np.float64) for name in MODEL])


def test_whole_run_is_the_rule_across_plain_group_means() -> None:
    journal = ListJournal()
    strategy = SubgroupSecureAggregation(journal=journal, seed=1)
    result, grid = run(strategy, clients=12)
    assert grid.errors == []
    (only,) = journal.rounds
    groups: dict[float, list[int]] = {}
    for fact in only.facts.replies:
        member = int(fact.identity.removeprefix("client-"))
        groups.setdefault(fact.figures["group"], []).append(member)
    assert sorted(len(each) for each in groups.values()) == [4, 4, 4]
    base = flat(MODEL)
    means = [
        flat(plain_round(MODEL, members, addends=4)) - base
        for _, members in sorted(groups.items())
    ]
    expected = base + GeometricMedian().aggregate(MatrixRows(np.stack(means)))
    assert flat(numbers(result.arrays)) == pytest.approx(expected, abs=1e-6)


def test_liars_lose_their_quality_and_the_model_goes_on() -> None:
    def step(partition: int, round_: int, array: NDArray[Any]) -> NDArray[Any]:
        rng = np.random.default_rng([partition, round_])
        towards = (1 - array) * 0.2 + 0.02 * rng.standard_normal(array.shape)
        return np.asarray(array + (-2 if partition in (2, 9) else 1) * towards, array.dtype)

    journal = ListJournal()
    model = {"w": np.zeros(200, np.float32)}
    strategy = SubgroupSecureAggregation(journal=journal, seed=4)
    result, _ = run(strategy, app=secagg_app(step=step), clients=16, rounds=10, model=model)
    reputation = {n: s.composite for n, s in strategy.state.standings.items()}
    worst = sorted(reputation, key=reputation.__getitem__)[:2]
    assert set(worst) == {"client-2", "client-9"}
    assert numbers(result.arrays)["w"].mean() > 0.8
    checkpoint = journal.checkpoints[-1]
    assert set(checkpoint.memory) == set(reputation)


def test_group_that_loses_its_sum_leaves_the_others() -> None:
    journal = ListJournal()
    gone = {0: drops("mask")}
    strategy = SubgroupSecureAggregation(journal=journal, seed=1, groups=GroupConfig(size=3))
    result, _ = run(strategy, clients=9, bends=gone)
    (only,) = journal.rounds
    assert only.note == ""
    verdicts = [fact.verdict.value for fact in only.facts.replies]
    assert sorted(verdicts) == ["abstained"] * 2 + ["accepted"] * 6 + ["missing"]
    assert any(not np.array_equal(numbers(result.arrays)[name], MODEL[name]) for name in MODEL)


def test_rule_that_needs_more_groups_leaves_the_model_with_a_reason() -> None:
    journal = ListJournal()
    strategy = SubgroupSecureAggregation(journal=journal, seed=1, rule=Krum(byzantine=1))
    run(strategy, clients=12)
    assert "n > 2f + 2" in journal.rounds[0].note


def submissions(updates: NDArray[Any], round_: int) -> Submissions:
    return Submissions(
        round=round_,
        updates=updates.astype(np.float32),
        examples=np.ones(len(updates), np.int64),
        root_update=lambda: np.zeros(updates.shape[1], np.float32),
    )


def test_contender_excludes_flippers_of_group_means() -> None:
    attackers = np.arange(20) < 2
    setting = Setting(clients=20, assumed=4, seed=0, attackers=attackers)
    contender = secagg_groups(setting)
    assert isinstance(contender, Grouped)
    rng, judged = np.random.default_rng(1), None
    for round_ in range(1, 31):
        updates = 1 + 0.3 * rng.standard_normal((20, 40))
        updates[attackers] *= -3
        judged = contender(submissions(updates, round_))
    assert judged is not None
    assert judged.excluded is not None
    assert judged.reputation is not None
    assert judged.excluded[attackers].all()
    assert not judged.excluded[~attackers].any()
    assert judged.change.mean() == pytest.approx(1, abs=0.15)


def test_a_majority_of_clients_decides_where_most_groups_hold_a_flipper() -> None:
    """6 of 20 send -4 times their update: one group in five is clean, on average."""
    attackers = np.arange(20) < 6
    setting = Setting(clients=20, assumed=4, seed=1, attackers=attackers)
    contender = secagg_groups(setting)
    rng = np.random.default_rng(2)
    judged = [
        contender(submissions(_flipped(rng, attackers), round_)) for round_ in range(1, 31)
    ]
    last = judged[-1]
    assert last.excluded is not None
    assert last.excluded[attackers].all()
    assert last.excluded[~attackers].sum() <= 1
    assert last.change.mean() == pytest.approx(1, abs=0.2)
    assert not judged[0].change.any()  # the groups contradict each other: the model waits


def _flipped(rng: np.random.Generator, attackers: NDArray[np.bool_]) -> NDArray[Any]:
    updates = 1 + 2 * rng.standard_normal((20, 200))
    updates[attackers] *= -4
    return updates


def test_settling_waits_for_contradicting_groups_only_and_not_for_ever() -> None:
    apart = MatrixRows(np.array([[1.0, 0.0], [-1.0, 0.1], [1.0, 0.2]]))
    young = {"a": np.array([1.0, 1.0, 10.0])}
    old = {"a": np.array([1.0, 1.0, 11.0])}
    everybody, agreeing = np.ones(3), np.array([1.0, 0.0, 1.0])
    assert settling(apart, everybody, memory=young, config=CONFIG)
    assert not settling(apart, agreeing, memory=young, config=CONFIG)
    assert not settling(apart, everybody, memory=old, config=CONFIG)


def test_the_regression_recovers_what_members_contribute() -> None:
    """Without noise: one direction, its sign and scale changing by round."""
    names, rng = [f"client-{k:02d}" for k in range(12)], np.random.default_rng(5)
    truth = np.where(np.arange(12) < 3, -2.0, 1.0)
    histories: list[list[list[float]]] = [[] for _ in names]
    for round_ in range(40):
        groups = draw_groups(names, memory={}, config=CONFIG, seed=round_.to_bytes(32, "big"))
        scale = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 2.0)
        for number, group in enumerate(groups):
            rows = [names.index(name) for name in group]
            place = [round_, number, scale * truth[rows].mean(), np.abs(truth[rows]).mean()]
            for row in rows:
                histories[row].append(place)
    window = Window.of([np.array(each) for each in histories])
    found = alignments(window)
    assert found / np.median(found) == pytest.approx(truth, abs=0.2)
    assert spreads(window) == pytest.approx(np.abs(truth), abs=0.1)


def test_history_is_forgotten_after_the_window() -> None:
    names, config = [f"client-{k}" for k in range(9)], GroupConfig(size=3, window=5)
    memory: dict[str, NDArray[np.float64]] = {}
    for round_ in range(12):
        seed = round_.to_bytes(32, "big")
        groups = draw_groups(names, memory=memory, config=config, seed=seed)
        means = MatrixRows(np.random.default_rng(round_).standard_normal((3, 6)))
        memory = observe(groups, means, memory=memory, config=config)
    assert {len(each) for each in memory.values()} == {3 + 4 * 5}
    assert {each[2] for each in memory.values()} == {12.0}
