"""One encrypted app, three engines, the same model to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from federations import federation
from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import RoundStatus
from process_tree import marked, needs_proc

ENCRYPTED = Path(__file__).parent / "apps" / "encrypted"
NUM_CLIENTS = 4


def models(folder: Path, engine: Engine, superlink: str | None = None) -> list[str]:
    """Run the app; return the hash of the model after each round."""
    run = RunFolder(folder / engine.value)
    outcome = run_app(
        ENCRYPTED, engine=engine, folder=run, num_clients=NUM_CLIENTS, superlink=superlink
    )
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    assert verify(outcome.journal).ok
    rounds = list(open_journal(outcome.journal).rounds())
    assert all(each.decision.status is RoundStatus.ACCEPTED for each in rounds)
    assert [each.metrics["he-addends"] for each in rounds] == [NUM_CLIENTS] * 2
    assert all(reply.signature for each in rounds for reply in each.facts.replies)
    return [each.model_hash for each in rounds]


def test_encrypted_app_learns_in_process(tmp_path: Path) -> None:
    first, second = models(tmp_path, Engine.INPROCESS)
    assert first != second


@pytest.mark.slow
@needs_proc
def test_three_engines_make_the_same_model(tmp_path: Path) -> None:
    inprocess = models(tmp_path, Engine.INPROCESS)
    simulated = models(tmp_path, Engine.SIMULATION)
    with federation(tmp_path / "federation", clients=NUM_CLIENTS) as address:
        deployed = models(tmp_path, Engine.DEPLOYMENT, superlink=address)
    assert simulated == deployed == inprocess
    assert marked(str(tmp_path)) == {}
