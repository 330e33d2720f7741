"""Bagging by reputation: clean, attacked, interrupted, and on record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from forest_federation import ForestFederation, accuracy
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.report.build import write_report
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.clients.attacks.forests import (
    CopiedTrees,
    FlippedLeaves,
    FlippedTraining,
    ForestAttack,
)
from parity_flwr.core.forest import BaggingConfig, ForestLimits, ForestSchema, encode_forest
from parity_flwr.core.protocols import Journal
from parity_flwr.core.records import RoundRecord, Verdict
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ForestBagging, Sampling, TreeUnion

pytest.importorskip("sklearn")

TRAINING = Sampling(fraction_evaluate=0.0)
LIARS: dict[str, ForestAttack] = {
    "label-flipped training": FlippedTraining(),
    "a leaf table that lies": FlippedLeaves(),
    "leaves changed alone": FlippedLeaves(careless=True),
}


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


def bagging(
    federation: ForestFederation,
    *,
    journal: Journal | None = None,
    sampling: Sampling = TRAINING,
    budget: int = 100,
) -> ForestBagging:
    return ForestBagging(
        federation.schema,
        journal=journal,
        seed=1,
        sampling=sampling,
        bagging=BaggingConfig(budget=budget),
    )


def test_the_forest_grows_to_its_budget_and_predicts() -> None:
    federation = ForestFederation()
    forest = federation.run(bagging(federation, budget=40), rounds=2)
    assert len(forest) <= 40
    assert len(forest) >= 36
    assert accuracy(forest, federation.tables[1]) > 0.92


@pytest.mark.parametrize("lying", [False, True])
@pytest.mark.parametrize("name", LIARS)
def test_three_liars_of_ten_place_no_tree(name: str, lying: bool) -> None:
    attackers: dict[int, ForestAttack] = dict.fromkeys((0, 4, 7), LIARS[name])
    federation = ForestFederation(attackers=attackers, lying=lying)
    strategy = bagging(federation)
    forest = federation.run(strategy, rounds=2)
    honest = bagging(ForestFederation())
    assert accuracy(forest, federation.tables[1]) > 0.9
    assert set(strategy.trees_of) == {f"client-{k}" for k in (1, 2, 3, 5, 6, 8, 9)}
    for k in attackers:
        assert strategy.state.standings[f"client-{k}"].composite < 400
    assert not honest.trees_of  # nothing has run there


def test_plain_bagging_believes_the_liars() -> None:
    attackers: dict[int, ForestAttack] = dict.fromkeys((0, 4, 7), FlippedLeaves())
    federation = ForestFederation(attackers=attackers)
    union = federation.run(TreeUnion(budget=60, fraction_evaluate=0.0))
    ours = federation.run(bagging(federation))
    test = federation.tables[1]
    assert accuracy(ours, test) > accuracy(union, test) - 0.005
    assert len(union) == 60


def test_regression_is_defended_too() -> None:
    attackers: dict[int, ForestAttack] = {0: FlippedLeaves(), 5: FlippedTraining()}
    federation = ForestFederation(regression=True, attackers=attackers)
    strategy = bagging(federation)
    federation.run(strategy)
    assert {"client-0", "client-5"}.isdisjoint(strategy.trees_of)
    assert len(strategy.trees_of) == 8


def test_who_copies_the_model_does_no_work() -> None:
    federation = ForestFederation(attackers={1: CopiedTrees()})
    strategy = bagging(federation)
    federation.run(strategy, rounds=3)
    assert "client-1" not in strategy.trees_of
    assert strategy.state.standings["client-1"].composite < 400


def test_a_run_repeats_bit_for_bit() -> None:
    federation = ForestFederation(clients=5)
    first, second = (federation.run(bagging(federation)) for _ in range(2))
    one, other = encode_forest(first), encode_forest(second)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_journal_has_everything_and_verifies(tmp_path: Path) -> None:
    federation = ForestFederation(attackers={2: FlippedLeaves()}, clients=6)
    folder = RunFolder.create(tmp_path)
    sampling = Sampling(fraction_evaluate=1.0, min_available_nodes=6)
    strategy = bagging(federation, journal=start_journal(folder), sampling=sampling)
    federation.run(strategy, rounds=2)
    verification = verify(folder)
    assert verification.ok, [line for line in verification.lines if not line.ok]
    page = write_report(folder, verification=verification).read_text(encoding="utf-8")
    assert "client-2" in page
    assert "ForestBagging" in page


def test_a_resumed_run_ends_as_the_uninterrupted_one(tmp_path: Path) -> None:
    federation = ForestFederation(clients=5, attackers={3: FlippedTraining()})
    whole = encode_forest(federation.run(bagging(federation), rounds=3))
    folder = RunFolder.create(tmp_path)
    journal = start_journal(folder)
    commit = journal.commit

    def dying(record: RoundRecord, *args: Any, **options: Any) -> None:
        if record.round == 2:
            raise KeyboardInterrupt
        commit(record, *args, **options)

    journal.commit = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        federation.run(bagging(federation, journal=journal), rounds=3)
    again = bagging(federation, journal=start_journal(folder))
    resumed = encode_forest(federation.run(again, rounds=3))
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    assert verify(folder).ok


def garbled(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Make the replies of one client no forests, in another way each round."""
    reply = call_next(message, context)
    if context.node_config["partition-id"] != 0 or not reply.content.array_records:
        return reply
    round_ = message.content.config_records["config"]["server-round"]
    arrays = dict(reply.content.array_records["arrays"])
    if round_ == 1:
        arrays.pop("left")
    elif round_ == 2:
        arrays["left"].data = arrays["left"].data[:-1]
    else:
        arrays["left"] = Array(np.zeros(len(arrays["left"].numpy()), np.int32))
    content = RecordDict({**reply.content, "arrays": ArrayRecord(arrays)})
    return Message(content, reply_to=message)


def test_the_gate_quarantines_what_is_no_forest(tmp_path: Path) -> None:
    federation = ForestFederation(clients=5)
    folder = RunFolder.create(tmp_path)
    strategy = bagging(federation, journal=start_journal(folder))
    app = federation.app(garbled)
    with InProcessGrid(app, 5) as grid:
        strategy.start(grid, strategy.initial_arrays(), num_rounds=3)
    for record in open_journal(folder).rounds():
        facts = {each.identity: each for each in record.facts.replies}
        assert facts["client-0"].verdict is Verdict.QUARANTINED
        assert facts["client-0"].reason
    assert strategy.state.standings["client-0"].quarantines == 3


def test_too_many_trees_are_refused() -> None:
    federation = ForestFederation(clients=4)
    strategy = ForestBagging(
        federation.schema,
        journal=None,
        seed=1,
        sampling=TRAINING,
        limits=ForestLimits(trees=5),
    )
    federation.run(strategy)
    assert all(each.quarantines == 1 for each in strategy.state.standings.values())


def mute(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Say nothing usable as a validator."""
    reply = call_next(message, context)
    if "parity-tree-scores" not in message.content.config_records["config"]:
        return reply
    words: list[bytes | str] = [b"", b"x", np.full(36, np.nan, "<f4").tobytes(), "text"]
    word = words[int(str(context.node_config["partition-id"])) % 4]
    content = RecordDict({**reply.content, "info": ConfigRecord({"tree-losses": word})})
    return Message(content, reply_to=message)


def test_without_a_usable_word_every_sound_tree_is_bagged() -> None:
    federation = ForestFederation(clients=6)
    app = federation.app(mute)
    strategy = bagging(federation)
    with InProcessGrid(app, 6) as grid:
        result = strategy.start(grid, strategy.initial_arrays(), num_rounds=1)
    assert len(result.arrays["sizes"].numpy()) == 36


def test_a_jury_needs_a_member() -> None:
    with pytest.raises(ConfigError, match="jury"):
        ForestBagging(ForestSchema(2), jury=0, journal=None)
