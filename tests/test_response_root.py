"""The root memory: the server's own updates as one more thing that clients are held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg, Result
from numpy.typing import NDArray

from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.journal.opening import open_journal, start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import RobustnessConfig, TrustConfig
from parity_flwr.core.evidence import weigh_evidence
from parity_flwr.core.records import RoundFacts
from parity_flwr.core.response_config import ResponseConfig
from parity_flwr.core.response_memory import recall_root
from parity_flwr.core.response_root import ROOT_IDENTITY, remember_root
from parity_flwr.core.response_rule import ResponseRule
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.sketch import UpdateSketch
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import Reputation, ReputationFedAvg
from parity_flwr.strategies.options import Options
from parity_flwr.strategies.ruled import RootUpdate
from round_facts import accepted
from synthetic_federation import Array
from synthetic_federation import run as federation
from trust_runs import Arrays, ListJournal, bits, client_app, nudge, run

SECRET = bytes(range(32))
SMALL = RobustnessConfig(sketch_size=64)
CONFIG = TrustConfig(robustness=SMALL)


def toward_one(round_: int, model: Arrays) -> Arrays:
    """Do as honest clients of ``trust_runs`` do, without their noise."""
    return {name: np.asarray(value + 0.1, value.dtype) for name, value in model.items()}


def remembered(*updates: NDArray[Any]) -> Mapping[str, NDArray[np.float64]]:
    memory: Mapping[str, NDArray[np.float64]] = {}
    for update in updates:
        rows = MatrixRows(np.asarray(update, np.float32)[None])
        memory = remember_root(memory, rows, secret=SECRET, config=SMALL)
    return memory


@pytest.mark.parametrize(
    ("cosine", "factor"), [(1.0, 1.0), (-0.1, 1.0), (-0.15, 0.5), (-0.2, 0.0), (-1.0, 0.0)]
)
def test_the_factor_by_hand(cosine: float, factor: float) -> None:
    replies = [accepted("a", figures={"root": cosine}), *(accepted(f"b{k}") for k in range(8))]
    first, *others = weigh_evidence(replies, RobustnessConfig())
    assert (first.soundness, first.penalty) == pytest.approx((factor, factor))
    assert {each.soundness for each in others} == {1.0}


def test_the_zone_is_configured() -> None:
    config = RobustnessConfig(response=ResponseConfig(rooted=(-0.1, 0.0)))
    replies = [accepted("a", figures={"root": -0.05}), *(accepted(f"b{k}") for k in range(8))]
    assert weigh_evidence(replies, config)[0].soundness == pytest.approx(0.5)


def test_nearly_half_are_not_spared() -> None:
    against = {"root": -0.5, "direction": -0.5, "authority": 1.0}
    replies = [accepted(f"c{k:02}", figures=against if k < 9 else {}) for k in range(20)]
    assert {e.soundness for e in weigh_evidence(replies, RobustnessConfig())[:9]} == {0.0}


def test_the_root_memory_is_a_decayed_mean(rng: np.random.Generator) -> None:
    updates = rng.normal(size=(3, 200))
    count, mean = recall_root(remembered(*updates), size=64)
    sketches = UpdateSketch(SECRET, 64).apply(MatrixRows(updates.astype(np.float32)))
    weights = np.array([0.81, 0.9, 1.0])
    assert count == 3
    assert mean == pytest.approx(weights @ sketches / weights.sum())


def test_a_root_memory_that_is_not_renewed_is_dropped() -> None:
    memory = remembered(np.ones(200))
    assert memory[""].size == 4 + 64
    dropped = remember_root(memory, None, secret=SECRET, config=SMALL)
    assert dropped[""].tolist() == [0.0, 0.0, 64.0]


def test_another_sketch_size_starts_the_root_memory_anew() -> None:
    memory = remembered(np.ones(200), np.ones(200))
    other = replace(SMALL, sketch_size=32)
    rows = MatrixRows(np.ones((1, 200), np.float32))
    latest = remember_root(memory, rows, secret=SECRET, config=other)
    assert recall_root(latest, size=32)[0] == 1


def measured(
    rng: np.random.Generator, rounds: int, *, root: bool
) -> list[list[Mapping[str, float]]]:
    """Return six clients' figures by round; c5 sends the opposite of the others."""
    memory: Mapping[str, NDArray[np.float64]] = {}
    names, found = [f"c{k}" for k in range(6)], []
    for _ in range(rounds):
        updates = 1 + 0.5 * rng.normal(size=(6, 200))
        updates[5] *= -1
        update = MatrixRows(np.ones((1, 200), np.float32)) if root else None
        memory = remember_root(memory, update, secret=SECRET, config=SMALL)
        figures, memory = ResponseRule(SMALL).measure(
            MatrixRows(updates.astype(np.float32)),
            identities=names,
            trust=np.ones(6),
            memory=memory,
            secret=SECRET,
        )
        found.append([each.extra for each in figures])
    return found


def test_the_figure_counts_from_the_third_round_on(rng: np.random.Generator) -> None:
    first, second, third = measured(rng, 3, root=True)
    assert not any("root" in each for each in [*first, *second])
    assert all(each["root"] > 0.8 for each in third[:5])
    assert third[5]["root"] < -0.8


def test_without_root_data_nothing_changes() -> None:
    plain = measured(np.random.default_rng(3), 4, root=False)
    rooted = measured(np.random.default_rng(3), 4, root=True)
    assert not any("root" in each for round_ in plain for each in round_)
    differing = {
        name
        for before, after in zip(plain[3], rooted[3], strict=True)
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    assert differing <= {"root", "distance", "coefficient"}
    memory: Mapping[str, NDArray[np.float64]] = {"": np.array([0.5, 2.0, 64.0])}
    assert remember_root(memory, None, secret=SECRET, config=SMALL) is memory


def test_a_run_without_root_is_the_same_to_the_bit() -> None:
    runs = []
    without, none = Options(), Options(root=None)
    for options in (without, none):
        journal = ListJournal()
        options |= {"config": CONFIG, "seed": 3, "journal": journal}
        strategy = ReputationFedAvg(**options)
        result, _ = run(strategy, app=client_app(), clients=6, rounds=4)
        memory = {name: each.tobytes() for name, each in journal.checkpoints[-1].memory.items()}
        assert len(memory[""]) == 3 * 8
        decided = [dumps((each.decision, each.state)) for each in journal.rounds]
        runs.append((bits(result.arrays), decided, memory))
    assert runs[0] == runs[1]


def liars(partition: int, round_: int, array: NDArray[Any]) -> NDArray[Any]:
    """Three of seven push the other way."""
    step = nudge(partition, round_, array) - array
    return np.asarray(array - step if partition < 3 else array + step, array.dtype)


@pytest.mark.parametrize("keep", [False, True])
def test_a_rooted_run_replays_and_verifies(tmp_path: Path, keep: bool) -> None:
    folder = RunFolder.create(tmp_path)
    journal = start_journal(folder, keep_updates=keep)
    strategy = Reputation(
        FedAvg(fraction_evaluate=0.0), config=CONFIG, seed=3, journal=journal, root=toward_one
    )
    run(strategy, app=client_app(liars), clients=7, rounds=5)
    outcome = verify(folder, updates=folder.updates if keep else None)
    assert outcome.ok, outcome.lines
    last = open_journal(folder).rounds()[-1]
    assert loads(dumps(last.facts), RoundFacts) == last.facts
    figures = {each.identity: each.figures["root"] for each in last.facts.replies}
    assert {name for name, each in figures.items() if each < 0} == {
        f"client-{k}" for k in range(3)
    }


def test_a_swapped_root_model_is_found(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    journal = start_journal(folder, keep_updates=True)
    strategy = ReputationFedAvg(config=CONFIG, seed=3, journal=journal, root=toward_one)
    run(strategy, app=client_app(), clients=6, rounds=4)
    assert isinstance(journal, SqlJournal)
    model = journal.updates.read(4, ROOT_IDENTITY)
    journal.updates.write(4, {ROOT_IDENTITY: {n: a - 1 for n, a in model.items()}})
    assert not verify(folder, updates=folder.updates).ok


def test_a_resumed_run_keeps_the_root_memory(tmp_path: Path) -> None:
    def dying(round_: int, model: Arrays) -> Arrays:
        if round_ == 4:
            raise RuntimeError("the server dies")
        return toward_one(round_, model)

    def play(name: str, root: RootUpdate) -> tuple[Result, SqlJournal, Reputation]:
        journal = start_journal(RunFolder(tmp_path / name).make())
        strategy = ReputationFedAvg(config=CONFIG, seed=3, journal=journal, root=root)
        result, _ = run(strategy, app=client_app(liars), clients=7, rounds=6)
        return result, journal, strategy

    whole, journal, strategy = play("whole", toward_one)
    with pytest.raises(RuntimeError, match="the server dies"):
        play("killed", dying)
    again, resumed, later = play("killed", toward_one)
    assert bits(again.arrays) == bits(whole.arrays)
    assert [dumps(r) for r in resumed.rounds()] == [dumps(r) for r in journal.rounds()]
    assert later.book.memory[""].tobytes() == strategy.book.memory[""].tobytes()
    assert recall_root(later.book.memory, size=64)[0] == 6


@pytest.mark.parametrize(
    ("options", "came"),
    [
        ({"config": CONFIG.judging_by_distance()}, "Design.NEIGHBOUR"),
        ({"mode": "paper"}, "Design.NEIGHBOUR"),
        ({"config": TrustConfig(robustness=RobustnessConfig(sketch_size=0))}, "sketch_size=0"),
        ({"rule": ResponseRule()}, "a rule of your own"),
    ],
)
def test_root_is_refused_where_nobody_would_look(options: Options, came: str) -> None:
    options |= {"root": toward_one, "journal": None}
    with pytest.raises(ConfigError) as refused:
        ReputationFedAvg(**options)
    assert refused.value.came == came
    assert "response design" in refused.value.needed
    assert refused.value.action


@pytest.mark.parametrize("wrong", ["shape", "nan", "names"])
def test_a_root_update_that_is_no_model_is_refused(wrong: str) -> None:
    def broken(round_: int, model: Arrays) -> Arrays:
        if wrong == "names":
            return {"other": np.zeros(3)}
        spoilt = {"shape": np.zeros(7), "nan": np.full((3, 4), np.nan)}[wrong]
        return {**model, "b.weight": spoilt}

    strategy = ReputationFedAvg(config=CONFIG, seed=3, journal=None, root=broken)
    with pytest.raises(ConfigError, match="finite model"):
        run(strategy, app=client_app(), clients=6, rounds=1)


def other_goal(own: Array, others: Array, rng: np.random.Generator) -> Array:
    """Train honestly towards an optimum of one's own, twice as far away."""
    away = np.random.default_rng(99).normal(size=own.shape[1])
    return own + 0.6 * away


@pytest.mark.parametrize("seed", range(2))
def test_nearly_half_win_without_root_data_and_lose_with_it(seed: int) -> None:
    nearly_half = tuple(f"c{k}" for k in range(9))
    without = federation(other_goal, seed=seed, attackers=9, n=20, rounds=20)
    rooted = federation(other_goal, seed=seed, attackers=9, n=20, rounds=20, root=True)
    assert without.excluded == ()
    assert rooted.excluded == nearly_half
    assert rooted.error < 0.02
    assert without.error > 0.3
