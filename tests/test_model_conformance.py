"""One suite over all models: the same gate, strategies, journal, report, resume, attacks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg, Result, Strategy

from model_cases import CASES, CLIENTS, LIARS, TRAINING, ModelCase
from parity_flwr.app.conformance import OFFENDER, SpoilingGrid
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.misbehaviour import MISBEHAVIOURS
from parity_flwr.app.report.build import write_report
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import RoundRecord, Verdict
from parity_flwr.strategies import (
    CoordinateMedian,
    GeometricMedian,
    Krum,
    Reputation,
    ReputationConsensus,
    SafeFedAvg,
    Setup,
    TrimmedMean,
)

pytest.importorskip("torch")
pytest.importorskip("sklearn")

SPOILED = (
    "not a number",
    "1e30",
    "another shape",
    "an array missing",
    "truncated bytes",
    "no arrays",
    "negative num-examples",
    "num-examples 2^63 - 1",
    "no reply",
)
SETUP = Setup(sampling=TRAINING, seed=1)
STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "FedAvg behind the gate": lambda: SafeFedAvg(setup=SETUP),
    "median": lambda: CoordinateMedian(setup=SETUP),
    "trimmed mean": lambda: TrimmedMean(byzantine=1, setup=SETUP),
    "Krum": lambda: Krum(byzantine=1, setup=SETUP),
    "geometric median": lambda: GeometricMedian(setup=SETUP),
    "consensus": lambda: ReputationConsensus(
        FedAvg(), committee=6, seed=1, journal=None, sampling=TRAINING
    ),
}
AVERAGED = [name for name, case in CASES.items() if case.averages]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


def train(
    case: ModelCase, strategy: Strategy, *, rounds: int | None = None, attacked: bool = False
) -> Result:
    with InProcessGrid(case.app(attacked=attacked), CLIENTS) as grid:
        return strategy.start(grid, case.record(), num_rounds=rounds or case.rounds)


def same(one: Result, other: Result) -> bool:
    return list(one.arrays) == list(other.arrays) and all(
        one.arrays[name].data == other.arrays[name].data for name in one.arrays
    )


@pytest.mark.parametrize("name", CASES)
def test_the_model_moves_and_keeps_names_and_dtypes(name: str) -> None:
    case = CASES[name]
    strategy = case.strategy(None)
    result = train(case, strategy)
    initial = case.initial()
    assert list(result.arrays) == list(initial)
    for key, before in initial.items():
        assert result.arrays[key].numpy().dtype == before.dtype
        assert np.isfinite(result.arrays[key].numpy()).all()
    assert not all(
        np.array_equal(result.arrays[key].numpy(), before) for key, before in initial.items()
    )
    assert same(result, train(case, case.strategy(None)))
    metrics = result.evaluate_metrics_clientapp[case.rounds]
    assert {"accuracy", "r2"} & set(metrics)


def test_batch_norm_counters_are_counted_on() -> None:
    case = CASES["convolutions with batch norm"]
    result = train(case, case.strategy(None))
    counter = result.arrays["1.num_batches_tracked"].numpy()
    assert (int(counter), counter.dtype.str) == (12, "<i8")  # six batches in each of two rounds


@pytest.mark.parametrize("misbehaviour", SPOILED)
@pytest.mark.parametrize("name", CASES)
def test_the_gate_lets_nothing_through(name: str, misbehaviour: str) -> None:
    case = CASES[name]
    strategy = case.strategy(None)
    with SpoilingGrid(case.app(), MISBEHAVIOURS[misbehaviour]) as grid:
        result = strategy.start(grid, case.record(), num_rounds=1)
    standing = strategy.state.standings[f"client-{OFFENDER}"]
    assert standing.quarantines + standing.faults == 1
    assert all(np.isfinite(array.numpy()).all() for array in result.arrays.values())


@pytest.mark.parametrize("name", AVERAGED)
def test_a_spoiled_reply_is_as_if_the_client_were_not_there(name: str) -> None:
    case, results = CASES[name], []
    for spoil in (None, MISBEHAVIOURS["not a number"]):
        with SpoilingGrid(case.app(), spoil) as grid:
            results.append(case.strategy(None).start(grid, case.record(), num_rounds=1))
    assert same(*results)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", AVERAGED)
def test_any_strategy_trains_it(name: str, strategy: str) -> None:
    case = CASES[name]
    result = train(case, STRATEGIES[strategy](), rounds=1)
    for key, before in case.initial().items():
        after = result.arrays[key].numpy()
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert np.isfinite(after).all()


@pytest.mark.parametrize("name", CASES)
def test_journal_verification_and_report(name: str, tmp_path: Path) -> None:
    case, folder = CASES[name], RunFolder.create(tmp_path)
    train(case, case.strategy(start_journal(folder)), attacked=True)
    verification = verify(folder)
    assert verification.ok, [line for line in verification.lines if not line.ok]
    page = write_report(folder, verification=verification).read_text(encoding="utf-8")
    assert all(f"client-{k}" in page for k in range(CLIENTS))
    for record in open_journal(folder).rounds():
        assert all(r.verdict is Verdict.ACCEPTED for r in record.facts.replies)
        assert sum(each.weight for each in record.decision.replies) == pytest.approx(1)


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_run_is_the_uninterrupted_one(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    whole = train(case, case.strategy(None), rounds=3)
    folder = RunFolder.create(tmp_path)
    journal = start_journal(folder)
    commit = journal.commit

    def dying(record: RoundRecord, *args: Any, **options: Any) -> None:
        if record.round == 2:
            raise KeyboardInterrupt
        commit(record, *args, **options)

    journal.commit = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        train(case, case.strategy(journal), rounds=3)
    resumed = train(case, case.strategy(start_journal(folder)), rounds=3)
    assert same(resumed, whole)
    assert verify(folder).ok


@pytest.mark.parametrize("name", CASES)
def test_liars_lose_their_name(name: str) -> None:
    case = CASES[name]
    strategy = case.strategy(None)
    assert isinstance(strategy, Reputation)
    train(case, strategy, rounds=case.patience, attacked=True)
    scores = {k: strategy.state.standings[f"client-{k}"].composite for k in range(CLIENTS)}
    liars = [score for k, score in scores.items() if k in LIARS]
    honest = [score for k, score in scores.items() if k not in LIARS]
    assert max(liars) < min(honest) - 100
