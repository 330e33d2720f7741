"""A cap on a run's folder: what goes, what stays, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps_made import make_app
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.runs.checkpoint import CheckpointStore
from parity_flwr.app.runs.disk_cap import DiskCap
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.size import folder_bytes
from parity_flwr.cli.main import execute
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Checkpoint
from parity_flwr.errors import ConfigError
from sample_runs import sample_header, sample_rounds


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a small Flower app."""
    return make_app(tmp_path / "app")


def checkpoints(folder: RunFolder) -> list[int]:
    return CheckpointStore(folder=folder.checkpoints).rounds()


def test_a_capped_run_keeps_what_verifying_needs(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(app), "--engine", "inprocess", "--clients", "4", "--quiet"]
    rounds = ["--run-config", "rounds=6"]
    assert execute([*command, *rounds]) == 0
    assert execute([*command, *rounds, "--disk-cap", "1kB"]) == 0
    text = capsys.readouterr().out
    free, capped = all_runs(tmp_path / "parity-home")
    assert checkpoints(free) == [4, 5, 6]
    assert checkpoints(capped) == [6]
    assert text.count("above the cap of 1.0 kB") == 1
    log = (capped.path / "flower.log").read_text("utf-8")
    assert log.count("above its cap of 1.0 kB") == 1
    assert execute(["verify", capped.id]) == 0


def test_a_wide_cap_changes_nothing(
    app: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PARITY_DISK_CAP", "1GB")
    command = ["run", str(app), "--engine", "inprocess", "--clients", "4", "--quiet", "--json"]
    assert execute([*command, "--run-config", "rounds=4"]) == 0
    result = json.loads(capsys.readouterr().out)
    (run,) = all_runs(tmp_path / "parity-home")
    assert checkpoints(run) == [2, 3, 4]
    assert result["disk"]["cap"] == 1_000_000_000
    assert result["disk"]["bytes"] == pytest.approx(folder_bytes(run.path), rel=0.1)


def capped_store(tmp_path: Path, limit: int) -> tuple[RunFolder, CheckpointStore, DiskCap]:
    """Return a run with five checkpoints of about 8 kB."""
    folder = RunFolder.create(tmp_path)
    store = CheckpointStore(folder=folder.checkpoints)
    for number in range(1, 6):
        store.write(Checkpoint(round=number, model={"w": np.zeros(1000)}))
    return folder, store, DiskCap(folder=folder, limit=limit)


def test_the_oldest_go_first_and_only_as_many_as_needed(tmp_path: Path) -> None:
    folder, store, cap = capped_store(tmp_path, 27_000)
    cap.enforce(store, 5, spare=lambda number: False)
    assert store.rounds() == [3, 4, 5]
    assert folder_bytes(folder.path) <= 27_000


def test_what_is_yet_to_be_published_stays(tmp_path: Path) -> None:
    _, store, cap = capped_store(tmp_path, 100)
    cap.enforce(store, 5, spare=lambda number: number == 2)
    assert store.rounds() == [2, 5]


def test_nothing_else_is_touched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, store, cap = capped_store(tmp_path, 100)
    kept = [folder.updates / "round-00001" / "base.npz", folder.content / "block"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 50_000)
    cap.enforce(store, 5, spare=lambda number: False)
    cap.enforce(store, 5, spare=lambda number: False)
    assert all(path.exists() for path in kept)
    assert store.rounds() == [5]


def test_a_capped_run_resumes(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    journal = SqlJournal(folder.journal_url, folder.id, folder)
    journal.cap.limit = 1
    header = sample_header(num_rounds=4)
    journal.begin(header)
    for record in sample_rounds(None, count=4)[:3]:
        model = {"w": np.full(3, float(record.round), dtype=np.float32)}
        named = replace(record, model_hash=model_hash(model))
        journal.commit(named, Checkpoint(round=record.round, model=model))
    assert checkpoints(folder) == [3]
    again = SqlJournal(folder.journal_url, folder.id, folder)
    resumption = again.begin(header)
    assert resumption is not None
    assert resumption.checkpoint.round == 3


@pytest.mark.parametrize("text", ["much", "-1", "0"])
def test_a_cap_is_a_size(text: str, app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="PARITY_DISK_CAP"):
        Environment.read({"PARITY_DISK_CAP": text})
    assert execute(["run", str(app), "--disk-cap", text]) == 2
    assert "--disk-cap needs a size" in capsys.readouterr().err
