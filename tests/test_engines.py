"""The three engines run the same app to the same end, say how it went, and leave nothing."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from journal_records import SECRET, checkpoint, finished, header, journal_in, play, record
from parity_flwr.app.engines.deployment import find_journal
from parity_flwr.app.engines.engine import Engine, RunOutcome, run_app
from parity_flwr.app.engines.processes import flower_variables, free_port
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.outcome import check_outcome
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Checkpoint, ReputationState, RoundStatus
from parity_flwr.errors import ConfigError
from process_tree import marked, needs_proc, wait_until

TINY = Path(__file__).parent / "apps" / "tiny"
Overrides = list[str]


def run(folder: Path, engine: Engine, *overrides: str, num_clients: int = 2) -> RunOutcome:
    """Run the tiny app: each round adds mean(1, ..., n) to its three weights."""
    return run_app(
        TINY,
        engine=engine,
        folder=RunFolder(folder / "run"),
        num_clients=num_clients,
        run_config_overrides=[f"output='{folder / 'out.txt'}'", *overrides],
    )


def final_weights(folder: Path) -> str:
    return (folder / "out.txt").read_text()


def test_inprocess_gives_the_model_computed_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    outcome = run(tmp_path, Engine.INPROCESS, "num-server-rounds=3 scale=2")
    assert final_weights(tmp_path) == "[9.0, 9.0, 9.0]"  # 3 rounds of 2 * mean(1, 2)
    assert outcome.completed
    assert (outcome.status, outcome.reason, outcome.exit_code) == ("completed", "", 0)
    assert outcome.journal is None  # stock FedAvg writes none
    assert "[ROUND 3/3]" in (tmp_path / "run" / "flower.log").read_text()
    assert capsys.readouterr() == ("", "")
    assert dict(os.environ) == before
    assert "tinyapp" not in sys.modules


def test_a_resumed_run_keeps_its_flower_id(tmp_path: Path) -> None:
    first, second = (run(tmp_path, Engine.INPROCESS) for _ in range(2))
    assert first.flower_run_id == second.flower_run_id != run_id_elsewhere(tmp_path)


def run_id_elsewhere(folder: Path) -> str | None:
    other = RunFolder(folder / "other")
    return run_app(TINY, engine=Engine.INPROCESS, folder=other, num_clients=2).flower_run_id


def test_inprocess_names_the_cause_of_a_failure(tmp_path: Path) -> None:
    outcome = run(tmp_path, Engine.INPROCESS, "fault='server'")
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert outcome.reason == "ValueError: the server app broke"
    log = (tmp_path / "run" / "flower.log").read_text()
    assert "Traceback" in log
    assert "tinyapp/server_app.py" in log


def test_an_interrupt_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    before = dict(os.environ)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Engine.INPROCESS, "fault='interrupt'")
    assert dict(os.environ) == before
    assert "tinyapp" not in sys.modules


def test_inprocess_blames_the_user_for_bad_input(tmp_path: Path) -> None:
    outcome = run(tmp_path, Engine.INPROCESS, "fault='input'")
    assert (outcome.status, outcome.exit_code) == ("failed", 2)
    assert outcome.reason == "tiny needs a better fault; got 'input'; choose another"


def test_inprocess_keeps_what_a_client_raised_for_its_owner(tmp_path: Path) -> None:
    run(tmp_path, Engine.INPROCESS, "fault='client' num-server-rounds=1")
    log = (tmp_path / "run" / "clients" / "client-1.log").read_text()
    assert "ValueError: secret in /home/alice/data.csv" in log
    assert "/home/alice" not in (tmp_path / "run" / "flower.log").read_text()


def test_an_engine_refuses_what_it_cannot_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ConfigError, match="at least 1 client; got 0"):
        run_app(TINY, engine=Engine.SIMULATION, folder=folder, num_clients=0)
    with pytest.raises(ConfigError, match="and no other, needs a SuperLink; got none"):
        run_app(TINY, engine=Engine.DEPLOYMENT, folder=folder)
    with pytest.raises(ConfigError, match="SuperLink; got one for the engine inprocess"):
        run_app(TINY, engine=Engine.INPROCESS, folder=folder, superlink="127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"needs a valid .*pyproject.toml"):
        run_app(tmp_path, engine=Engine.INPROCESS, folder=folder)
    assert not folder.path.exists()


@pytest.mark.parametrize("address", ["127.0.0.1:", ":8000", "host:99999", "host:8000x"])
def test_a_superlink_needs_an_address(tmp_path: Path, address: str) -> None:
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ConfigError, match="HOST:PORT or the name of a connection"):
        run_app(TINY, engine=Engine.DEPLOYMENT, folder=folder, superlink=address)


def test_tls_needs_its_certificates(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="root certificates as a file"):
        run_app(
            TINY,
            engine=Engine.DEPLOYMENT,
            folder=RunFolder(tmp_path / "run"),
            superlink="127.0.0.1:8000",
            root_certificates=tmp_path / "absent.crt",
        )


def test_a_superlink_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    outcome = run_app(
        TINY,
        engine=Engine.DEPLOYMENT,
        folder=RunFolder(tmp_path / "run"),
        superlink=f"127.0.0.1:{free_port()}",
    )
    assert (outcome.status, outcome.exit_code, outcome.flower_run_id) == ("failed", 1, None)
    assert outcome.reason == (
        "Connection to the SuperLink is unavailable. Please check your network connection "
        "and 'address' in the SuperLink connection configuration."
    )


def test_an_unknown_connection_is_a_failure(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    outcome = run_app(TINY, engine=Engine.DEPLOYMENT, folder=folder, superlink="nowhere")
    assert outcome.status == "failed"
    assert "'nowhere' not found" in outcome.reason


# --- what the journal says about a run that Flower calls completed


def test_a_run_with_a_model_is_good(tmp_path: Path) -> None:
    assert check_outcome(finished(tmp_path / "run")) == ""


def test_a_run_without_a_journal_is_not_judged(tmp_path: Path) -> None:
    assert check_outcome(RunFolder(tmp_path / "run")) == ""


def test_a_run_that_says_so_failed(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 2)
    journal.finish("failed", "no quorum", sketch_seed=SECRET)
    assert check_outcome(journal.folder) == "no quorum"


def test_a_run_that_never_ended_failed(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    play(journal, 2)
    assert check_outcome(journal.folder) == "the run stopped after round 2"


def test_a_run_without_an_accepted_round_failed(tmp_path: Path) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header(1))
    good = record(1, ReputationState())
    bad = dataclasses.replace(
        good.decision, status=RoundStatus.REJECTED, reason="2 of 5 replied"
    )
    journal.commit(dataclasses.replace(good, decision=bad), checkpoint(1))
    journal.finish("completed", sketch_seed=SECRET)
    assert check_outcome(journal.folder) == "no round was accepted: 2 of 5 replied"


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({}, "the model is empty"),
        ({"w": np.zeros(0)}, "the model is empty"),
        ({"w": np.array([1.0, np.nan])}, "the model is not finite in 'w'"),
        ({"b": np.array([1]), "w": np.array(np.inf)}, "the model is not finite in 'w'"),
    ],
)
def test_a_model_must_hold_finite_numbers(
    tmp_path: Path, model: dict[str, np.ndarray], problem: str
) -> None:
    journal = journal_in(tmp_path / "run")
    journal.begin(header(1))
    whole = dataclasses.replace(record(1, ReputationState()), model_hash=model_hash(model))
    journal.commit(whole, Checkpoint(round=1, model=model, sketch_seed=SECRET))
    journal.finish("completed", sketch_seed=SECRET)
    assert check_outcome(journal.folder) == problem


def test_a_lost_checkpoint_is_a_failure(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", 3)
    for path in folder.checkpoints.glob("*"):
        path.write_bytes(b"garbage")
    assert "round-00003.npz" in check_outcome(folder)


def test_a_journal_is_found_by_flowers_run_id(tmp_path: Path) -> None:
    for name, flower_id in (("one", "11"), ("two", "22")):
        journal = journal_in(tmp_path / "runs" / name)
        journal.begin(header(1, environment={"flower-run-id": flower_id}))
    (tmp_path / "runs" / "three").mkdir()
    (tmp_path / "runs" / "four").mkdir()
    (tmp_path / "runs" / "four" / "journal.sqlite").write_bytes(b"garbage")
    found = find_journal(tmp_path, "11")
    assert found is not None
    assert found.id == "one"
    assert find_journal(tmp_path, "33") is None


# --- Ray, and a SuperLink of our own


def mark(folder: Path) -> str:
    """Return what stands in the environment of every process of a run in that folder."""
    return f"PARITY_RUN_DIR={folder / 'run'}"


@pytest.mark.slow
@needs_proc
def test_simulation_gives_the_same_model_and_leaves_nothing(tmp_path: Path) -> None:
    outcome = run(tmp_path, Engine.SIMULATION, "num-server-rounds=1 scale=2")
    assert final_weights(tmp_path) == "[3.0, 3.0, 3.0]"
    assert outcome.completed
    assert (outcome.exit_code, outcome.journal) == (0, None)
    assert marked(mark(tmp_path)) == {}
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out.txt"}
    assert "Successfully started run" in (tmp_path / "run" / "flower.log").read_text()
    assert {path.name for path in TINY.iterdir()} <= {"pyproject.toml", "tinyapp"}


@pytest.mark.slow
@needs_proc
def test_simulation_names_the_cause_of_a_failure(tmp_path: Path) -> None:
    outcome = run(tmp_path, Engine.SIMULATION, "fault='input'")
    assert (outcome.status, outcome.exit_code) == ("failed", 2)
    assert outcome.reason == "tiny needs a better fault; got 'input'; choose another"
    assert marked(mark(tmp_path)) == {}


OWNER = """
import sys
from pathlib import Path
from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.runs.folder import RunFolder
run_app(Path(sys.argv[1]), engine=Engine.SIMULATION, folder=RunFolder(Path(sys.argv[2])),
        num_clients=2, run_config_overrides=["fault='hang'"])
"""


@pytest.mark.slow
@needs_proc
def test_simulation_leaves_nothing_when_killed(tmp_path: Path) -> None:
    def training() -> bool:
        log = tmp_path / "run" / "flower.log"
        return log.exists() and "configure_train" in log.read_text()

    command = [sys.executable, "-c", OWNER, str(TINY), str(tmp_path / "run")]
    with subprocess.Popen(command, env=flower_variables()) as owner:
        wait_until(
            lambda: training() and any("ray" in c for c in marked(mark(tmp_path)).values())
        )
        owner.kill()
    wait_until(lambda: marked(mark(tmp_path)) == {}, timeout_s=60)
