"""A private run on Flower's engines: local noise, central noise, one charge a round."""

from __future__ import annotations

from pathlib import Path

import pytest

from federations import completed
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.journal import open_journal
from parity_flwr.app.verification.verify import verify
from process_tree import needs_proc


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("engine", [Engine.INPROCESS, Engine.SIMULATION])
def test_a_private_app_runs_and_is_charged(tmp_path: Path, engine: Engine) -> None:
    folder = completed("guarded", tmp_path, clients=3, engine=engine)
    journal = open_journal(folder)
    assert [each.round for each in journal.charges()] == [1, 2]  # three were asked for
    assert journal.status().round == 2
    lines = {each.name: each for each in verify(folder).lines}
    assert lines["privacy ledger"].ok
    assert lines["decisions"].ok
