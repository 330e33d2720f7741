"""One encrypted app, three engines, the same model to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from federations import completed, completed_on_three_engines
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import RoundStatus
from process_tree import needs_proc

NUM_CLIENTS = 4


def models(journal: RunFolder) -> list[str]:
    """Return the hash of the model after each round."""
    assert verify(journal).ok
    rounds = list(open_journal(journal).rounds())
    assert all(each.decision.status is RoundStatus.ACCEPTED for each in rounds)
    assert [each.metrics["he-addends"] for each in rounds] == [NUM_CLIENTS] * 2
    assert all(reply.signature for each in rounds for reply in each.facts.replies)
    return [each.model_hash for each in rounds]


def test_encrypted_app_learns_in_process(tmp_path: Path) -> None:
    first, second = models(completed("encrypted", tmp_path, clients=NUM_CLIENTS))
    assert first != second


@pytest.mark.slow
@needs_proc
def test_three_engines_make_the_same_model(tmp_path: Path) -> None:
    found = completed_on_three_engines("encrypted", tmp_path, clients=NUM_CLIENTS)
    inprocess = models(found[Engine.INPROCESS])
    assert all(models(each) == inprocess for each in found.values())
