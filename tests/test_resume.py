"""kill -9 anywhere in a run: resumed, it repeats one round at most and ends the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAdam, FedAvg

import run_crash
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.canonical import dumps
from parity_flwr.core.records import Checkpoint, RoundRecord
from parity_flwr.errors import CheckpointError, ConfigError, JournalError, RunError
from parity_flwr.strategies import Reputation, ReputationFedAvg
from run_crash import INNERS, POINTS, ROUNDS, play
from trust_runs import MODEL, ListJournal, bits, record, run

HERE = Path(__file__).parent


def trail(journal: SqlJournal) -> list[bytes]:
    """Return everything that a run decided, in its canonical form."""
    return [dumps(each) for each in journal.rounds()]


def evaluations(journal: SqlJournal) -> list[tuple[int, str, dict[str, float]]]:
    found = [(e.round, e.source, dict(e.metrics)) for e in journal.evaluations()]
    return sorted(found, key=lambda each: each[:2])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the uninterrupted runs, by inner strategy."""
    folder = tmp_path_factory.mktemp("whole")
    return {inner: play(folder / inner, inner) for inner in INNERS}


def kill(folder: Path, inner: str, point: str, at: int) -> None:
    command = [sys.executable, str(HERE / "run_crash.py"), str(folder), inner, point, str(at)]
    ended = subprocess.run(command, env=os.environ, cwd=HERE, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("inner", ["FedAvg", "FedAdam"])
def test_killed_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, inner: str, point: str, whole: dict[str, Any]
) -> None:
    at = 3
    kill(tmp_path / "run", inner, point, at)
    folder = RunFolder(tmp_path / "run")
    killed = SqlJournal(folder.journal_url, "run", folder)
    committed = killed.status().round
    assert committed == (at if "evaluation" in point else at - 1)  # one round lost at most
    result, journal = play(tmp_path / "run", inner)
    expected, expected_journal = whole[inner]
    assert bits(result.arrays) == bits(expected.arrays)
    assert list(result.arrays) == list(run_crash.MODEL)
    assert trail(journal) == trail(expected_journal)
    assert evaluations(journal) == evaluations(expected_journal)
    assert len(evaluations(journal)) == 2 * ROUNDS + 1
    assert journal.status().status == "completed"
    assert set(result.train_metrics_clientapp) == set(range(committed + 1, ROUNDS + 1))
    assert verify(folder).ok


def test_run_killed_twice_in_the_same_round_ends_the_same(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    kill(tmp_path / "run", "FedAvgM", "after evaluation", 2)
    kill(tmp_path / "run", "FedAvgM", "while clients train", 3)
    result, journal = play(tmp_path / "run", "FedAvgM")
    assert bits(result.arrays) == bits(whole["FedAvgM"][0].arrays)
    assert evaluations(journal) == evaluations(whole["FedAvgM"][1])


def test_run_killed_before_its_first_round_starts_again(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    kill(tmp_path / "run", "FedAvg", "in aggregate_train", 1)
    result, journal = play(tmp_path / "run", "FedAvg")
    assert bits(result.arrays) == bits(whole["FedAvg"][0].arrays)
    # The first start's evaluation of the initial model stays in the journal as it was.
    assert {each[:2] for each in evaluations(journal)} == {
        each[:2] for each in evaluations(whole["FedAvg"][1])
    }


def test_completed_run_is_not_resumed(tmp_path: Path) -> None:
    play(tmp_path / "run", "FedAvg")
    with pytest.raises(RunError, match="needs an unfinished one; got one that completed 4"):
        play(tmp_path / "run", "FedAvg")


def test_another_inner_strategy_does_not_resume(tmp_path: Path) -> None:
    kill(tmp_path / "run", "FedAdam", "before evaluation", 2)
    with pytest.raises(JournalError, match=r"needs inner .*FedAdam.*; got .*FedAvg"):
        play(tmp_path / "run", "FedAvg")


def test_longer_run_goes_on_after_a_failure(tmp_path: Path) -> None:
    """A strategy that raises leaves a failed run that can be continued."""
    folder = RunFolder(tmp_path / "run").make()

    def journal() -> SqlJournal:
        return SqlJournal(folder.journal_url, "run", folder)

    def evaluate(round_: int, arrays: Any) -> None:
        if round_ == 2:
            raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        run(ReputationFedAvg(seed=1, journal=journal()), rounds=3, evaluate_fn=evaluate)
    assert journal().status().status == "failed"
    assert journal().status().reason == "OSError: disk on fire"
    assert journal().status().round == 2
    strategy = ReputationFedAvg(seed=1, journal=journal())
    result, grid = run(strategy, rounds=4)
    assert strategy.offset == 2
    assert len(grid.asked("train")) == 10
    whole, _ = run(ReputationFedAvg(seed=1, journal=None), rounds=4)
    assert bits(result.arrays) == bits(whole.arrays)
    assert journal().status().status == "completed"


class Breaking(ListJournal):
    """A journal whose disk fails at one method, and goes on failing."""

    def __init__(self, method: str, at: int = 1, *, ends: bool = True) -> None:
        super().__init__()
        self.method, self.left, self.ends = method, at, ends

    def fail(self, method: str) -> None:
        if method == self.method:
            self.left -= 1
        if self.left <= 0 and (method == self.method or not self.ends):
            raise JournalError(
                "a round needs to be written", came="no space", action="free some"
            )

    def begin(self, header: Any) -> None:
        self.fail("begin")
        super().begin(header)

    def actions(self) -> Any:
        self.fail("actions")
        return super().actions()

    def commit(self, record: RoundRecord, checkpoint: Checkpoint, *args: Any, **o: Any) -> None:
        self.fail("commit")
        super().commit(record, checkpoint)

    def evaluate(self, record: Any) -> None:
        self.fail("evaluate")
        super().evaluate(record)

    def finish(self, status: str, reason: str = "", *, sketch_seed: bytes = b"") -> None:
        self.fail("finish")
        super().finish(status, reason)


@pytest.mark.parametrize("ends", [True, False], ids=["once", "for good"])
@pytest.mark.parametrize("method", ["begin", "actions", "commit", "evaluate", "finish"])
def test_journal_that_fails_ends_the_run_with_its_error(method: str, ends: bool) -> None:
    journal = Breaking(method, at=1 if method in ("begin", "finish") else 2, ends=ends)
    strategy = ReputationFedAvg(seed=1, journal=journal)
    with pytest.raises(JournalError, match="a round needs to be written; got no space; free"):
        run(strategy, rounds=3)
    if method not in ("begin", "finish"):
        assert len(journal.rounds) == (2 if method == "evaluate" else 1)
        if ends:
            assert journal.endings[0][0] == "failed"
            assert "JournalError: a round needs to be written" in journal.endings[0][1]
    # What could not be written did not happen: memory says what the journal says.
    if journal.rounds:
        assert strategy.state == journal.rounds[-1].state
        assert set(strategy.book.memory) == set(journal.checkpoints[-1].memory)


def test_checkpoint_that_cannot_be_written_leaves_no_row(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run").make()
    journal = SqlJournal(folder.journal_url, "run", folder)
    strategy = ReputationFedAvg(seed=1, journal=journal)
    commit = journal.commit

    def block(record: RoundRecord, *args: Any, **options: Any) -> None:
        if record.round == 2:
            for file in folder.checkpoints.iterdir():
                file.unlink()
            folder.checkpoints.rmdir()
            folder.checkpoints.write_bytes(b"a file where the folder was")
        commit(record, *args, **options)

    journal.commit = block  # type: ignore[method-assign]
    with pytest.raises(CheckpointError, match="checkpoint needs to be written"):
        run(strategy, rounds=3)
    assert journal.status().round == 1
    assert journal.status().status == "failed"
    assert "CheckpointError" in journal.status().reason
    assert strategy.state == journal.rounds()[-1].state


def test_hostile_state_in_a_checkpoint_is_an_error_in_three_parts(tmp_path: Path) -> None:
    kill(tmp_path / "run", "FedAdam", "before evaluation", 2)
    folder = RunFolder(tmp_path / "run")
    store = SqlJournal(folder.journal_url, "run", folder).checkpoints
    saved = store.read(2)
    forged = {**saved.inner, "array|__class__|0|": np.zeros(1)}
    store.write(
        Checkpoint(
            round=2,
            model=saved.model,
            inner=forged,
            memory=saved.memory,
            sketch_seed=saved.sketch_seed,
            client_state=saved.client_state,
        )
    )
    with pytest.raises(ConfigError, match="the strategy that the run was started with"):
        play(tmp_path / "run", "FedAdam")


def test_baseline_runs_the_inner_strategy_alone() -> None:
    journal = ListJournal(baseline=True)

    def evaluate(round_: int, arrays: Any) -> Any:
        from flwr.app import MetricRecord

        return MetricRecord({"round": round_})

    ours, _ = run(Reputation(FedAdam(), seed=1, journal=journal), evaluate_fn=evaluate)
    in_order: Any = lambda replies: sorted(replies, key=lambda r: r.metadata.src_node_id)  # noqa: E731
    stock, _ = run(FedAdam(), order=in_order)
    assert bits(ours.arrays) == bits(stock.arrays)
    assert journal.rounds == []
    found = [(each.round, each.source) for each in journal.evaluations]
    assert found == [
        (0, "server"),
        (1, "clients"),
        (1, "server"),
        (2, "clients"),
        (2, "server"),
    ]
    assert journal.endings == [("completed", "")]


def test_baseline_is_poisoned_as_the_inner_strategy_is() -> None:
    from parity_flwr.app.misbehaviour import MISBEHAVIOURS

    journal = ListJournal(baseline=True)
    strategy = Reputation(FedAvg(), seed=1, journal=journal)
    result, _ = run(strategy, spoil={0: MISBEHAVIOURS["not a number"]}, rounds=1)
    assert np.isnan(result.arrays["b.weight"].numpy()).any()
    assert strategy.state.standings == {}


def test_nothing_is_asked_of_a_run_without_rounds() -> None:
    journal = ListJournal()
    result, grid = run(ReputationFedAvg(seed=1, journal=journal), rounds=0)
    assert bits(result.arrays) == bits(record(MODEL))
    assert grid.sent == []
    assert journal.endings == [("completed", "")]
