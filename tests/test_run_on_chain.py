"""Runs whose rounds go to a chain: every round once, whatever stops in between."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from apps_made import make_app
from federations import federation
from parity_flwr.app.chains.opened import keys_path
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.app.verification.verify import verify
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.cli.main import execute
from parity_flwr.core.anchoring import OutboxState
from process_tree import needs_proc

pytest.importorskip("eth")

JUDGED = Path(__file__).parent / "apps" / "judged"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a Flower app in which one of four clients sends NaN."""
    return make_app(tmp_path / "app")


def run(app: Path, *options: str) -> int:
    """Run the app in process."""
    return execute(["run", str(app), "--engine", "inprocess", "--clients", "4", *options])


def the_run(home: Path) -> RunFolder:
    """Return the only run."""
    (found,) = all_runs(home / "parity-home")
    return found


def outbox_of(folder: RunFolder) -> SqlOutbox:
    """Return a run's outbox."""
    journal = open_journal(folder)
    return SqlOutbox(journal.database, journal.run_id)


def result_of(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the JSON object that a command printed."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
def test_every_round_of_an_app_is_on_the_embedded_chain(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, "--chain", "embedded", "--json") == 0
    found = result_of(capsys)["chain"]
    assert (found["waiting"], found["trouble"]) == (0, "")
    folder = the_run(tmp_path)
    rows = outbox_of(folder).rows()
    assert {row.state for row in rows} == {OutboxState.FINAL}
    assert [row.intent.round for row in rows if row.intent.round] == [1, 2]
    assert sum(row.intent.key.startswith("register/") for row in rows) == 4
    assert FolderPublications(folder.publications).rounds() == [1, 2]
    assert stat.S_IMODE(keys_path(folder).stat().st_mode) == 0o600
    with EmbeddedChain(ChainPlaces(folder.path).embedded) as chain:
        deployment = ChainPlaces(folder.path).load(chain.chain_id)
        assert deployment is not None
        deployment.check(chain)
    assert execute(["chain", "drain", "latest", "--json"]) == 0
    assert result_of(capsys)["transactions"] == found["transactions"]


@pytest.mark.slow
def test_no_key_is_written_anywhere_else(app: Path, tmp_path: Path) -> None:
    assert run(app, "--chain", "embedded") == 0
    folder = the_run(tmp_path)
    assert execute(["bundle", "latest", "--output", str(folder.path / "run.parity")]) == 0
    assert execute(["report", "latest"]) == 0
    keys = json.loads(keys_path(folder).read_bytes())
    secrets = [seed for wallet, node, _ in keys.values() for seed in (wallet, node)]
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert len(secrets) == 10
    assert len(files) > 10
    for path in files:
        data = path.read_bytes()
        held = [s for s in secrets if s.encode() in data or bytes.fromhex(s) in data]
        assert bool(held) == (path == keys_path(folder)), path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--chain", "nowhere"], "--chain needs 'off', 'embedded' or the URL"),
        (["--wallet", "w"], "--wallet needs a --chain"),
        (["--chain", "embedded", "--wallet", "w"], "--wallet needs a chain behind a URL"),
    ],
)
def test_a_choice_that_makes_no_sense_is_one_line(
    app: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.slow
@needs_proc
def test_a_run_in_a_superlinks_process_is_published_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with federation(tmp_path / "federation", clients=5) as address:
        options = ["--superlink", address, "--chain", "embedded", "--quiet", "--json"]
        assert execute(["run", str(JUDGED), *options]) == 0
    found = result_of(capsys)["chain"]
    assert (found["waiting"], found["trouble"]) == (0, "")
    lines = {line.name: line for line in verify(the_run(tmp_path)).lines}
    assert lines["chain record"].detail.startswith("2 rounds")
    assert all(line.ok is not False for line in lines.values())
