"""The main job, end to end: three liars among ten are found out, the model is still good."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from parity_flwr.app.demo import run_demo
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.core.economy.claims import RewardConfig

pytest.importorskip("eth")
pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_exactly_the_liars_are_excluded_and_the_model_is_good(
    seed: int, tmp_path: Path
) -> None:
    screen = io.StringIO()
    with LiveTable(Console(file=screen)) as table:
        done = run_demo(seed=seed, home=tmp_path, on_progress=table)
    assert done.flagged == done.attackers
    assert len(done.attackers) == 3
    assert done.accuracy_parity >= done.accuracy_clean - 0.02
    assert done.accuracy_parity > done.accuracy_fedavg
    assert done.verification.ok
    assert done.report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "round 15/15" in screen.getvalue()
    assert done.to_json()["verify"] == "ok"
    assert done.trouble == ""
    assert done.chain is not None
    assert (done.chain.anchored, done.chain.waiting) == (15, 0)
    assert done.chain.round_gas < 90_000
    earned = done.chain.rewards.earned
    assert sum(earned.values()) + done.chain.rewards.carried == 15 * RewardConfig().pool
    honest = {name: paid for name, paid in earned.items() if name not in done.attackers}
    assert max(earned.get(name, 0) for name in done.attackers) < min(honest.values())
    held = {line.name for line in done.verification.lines if line.ok}
    assert held >= {"chain record", "members", "outbox", "published models"}
    assert done.chain.deployment.ledger in done.report.read_text(encoding="utf-8")
