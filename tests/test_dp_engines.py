"""A private run on Flower's engines: local noise, central noise, one charge a round."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from process_tree import needs_proc

GUARDED = Path(__file__).parent / "apps" / "guarded"


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("engine", [Engine.INPROCESS, Engine.SIMULATION])
def test_a_private_app_runs_and_is_charged(tmp_path: Path, engine: Engine) -> None:
    outcome = run_app(GUARDED, engine=engine, folder=RunFolder(tmp_path / "run"), num_clients=3)
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    journal = open_journal(outcome.journal)
    assert [each.round for each in journal.charges()] == [1, 2]  # three were asked for
    assert journal.status().round == 2
    lines = {each.name: each for each in verify(outcome.journal).lines}
    assert lines["privacy ledger"].ok
    assert lines["decisions"].ok
