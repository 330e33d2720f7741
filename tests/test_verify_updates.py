"""verify --updates measures again what the clients sent, and finds what was swapped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

from journal_records import CONFIG, SECRET, checkpoint, header, journal_in, model_of
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.updates import average
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import ReputationState, RoundFacts, RoundRecord, Verdict
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rounds import decide
from parity_flwr.strategies.facts import Measuring, gather_facts
from parity_flwr.strategies.gate import Passed
from parity_flwr.strategies.intake import Answer, Asked

Arrays = dict[str, np.ndarray[Any, Any]]


def sent(base: Arrays, names: list[str], rng: np.random.Generator) -> list[Arrays]:
    """Return what the clients send back: the base and some noise."""
    return [
        {
            name: np.asarray(
                array + np.asarray(rng.normal(size=array.shape)).astype(array.dtype)
                if array.dtype.kind == "f"
                else array + index
            )
            for name, array in base.items()
        }
        for index, _ in enumerate(names)
    ]


def played(path: Path, num_rounds: int = 3) -> RunFolder:
    """Return a run whose updates were kept, measured and averaged for real."""
    rng = np.random.default_rng(5)
    journal = journal_in(path, keep_updates=True)
    journal.begin(header(num_rounds))
    state, base = ReputationState(), model_of(0)
    memory: dict[str, np.ndarray[Any, Any]] = {}
    names = ["alice", "bob", "carol", "dave", "erin"]
    for number in range(1, num_rounds + 1):
        models = sent(base, names, rng)
        answers = [
            Answer(
                Asked(index, name),
                Verdict.ACCEPTED,
                passed=Passed(model, 10 + index),
                update_hash=model_hash(model),
            )
            for index, (name, model) in enumerate(zip(names, models, strict=True))
        ]
        measuring = Measuring(
            rule=rule_for(CONFIG.robustness),
            config=CONFIG,
            state=state,
            memory=memory,
            secret=SECRET,
        )
        facts, memory = gather_facts(answers, base=base, qualities={}, measuring=measuring)
        round_facts = RoundFacts(round=number, replies=facts)
        state, decision = decide(state, round_facts, CONFIG)
        weighed = [
            (model, each.weight, 10 + index)
            for index, (model, each) in enumerate(zip(models, decision.replies, strict=True))
            if each.weight > 0
        ]
        after = dict(average(base, weighed))
        record = RoundRecord(
            round=number,
            base_hash=model_hash(base),
            model_hash=model_hash(after),
            facts=round_facts,
            decision=decision,
            state=state,
        )
        saved = replace(checkpoint(number), model=after)
        updates = dict(zip(names, models, strict=True))
        journal.commit(record, saved, updates, base=base)
        base = after
    journal.finish("completed", sketch_seed=SECRET)
    return journal.folder


def test_what_was_measured_comes_out_again(tmp_path: Path) -> None:
    run = played(tmp_path / "run")
    lines = {line.name: line for line in verify(run, updates=run.updates).lines}
    assert all(line.ok is not False for line in lines.values())
    assert lines["updates"].ok


def test_a_swapped_update_is_named(tmp_path: Path) -> None:
    run = played(tmp_path / "run")
    journal = journal_in(run.path)
    journal.updates.write(2, {"bob": model_of(9)})
    lines = {line.name: line for line in verify(run, updates=run.updates).lines}
    assert lines["updates"].ok is False
    assert "round 2" in lines["updates"].detail


@pytest.mark.parametrize("lost", ["base.npz", "*"])
def test_missing_updates_are_named(tmp_path: Path, lost: str) -> None:
    run = played(tmp_path / "run", 1)
    for path in (run.updates / "round-00001").glob(lost):
        path.unlink()
    lines = {line.name: line for line in verify(run, updates=run.updates).lines}
    assert "no such file" in lines["updates"].detail


def test_the_average_is_flowers_bit_for_bit() -> None:
    rng = np.random.default_rng(1)
    base: Arrays = {"w": rng.normal(size=(7, 5)).astype(np.float32), "b": rng.normal(size=3)}
    models = sent(base, ["a", "b", "c"], rng)
    weights, examples = (0.2, 0.5, 0.3), (10, 11, 12)
    records = [
        RecordDict(
            {
                "arrays": ArrayRecord({name: Array(array) for name, array in model.items()}),
                "metrics": MetricRecord({"num-examples": weight * float(sum(examples))}),
            }
        )
        for model, weight in zip(models, weights, strict=True)
    ]
    flower = aggregate_arrayrecords(records, "num-examples")
    ours = average(base, list(zip(models, weights, examples, strict=True)))
    for name in base:
        np.testing.assert_array_equal(ours[name], flower[name].numpy())
