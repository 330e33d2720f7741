"""DP-SGD on Flower's engines: no process, and no change of process, forgets a budget."""

from __future__ import annotations

import importlib
import os
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

from federations import APPS, completed, federation
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.engines.importing import importing_from
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.privacy.ledger import Charge, Unit
from parity_flwr.core.records import RoundStatus, Verdict
from process_tree import marked, needs_proc

pytest.importorskip("torch")
pytest.importorskip("opacus")
dp_accounting = pytest.importorskip("dp_accounting")
pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook is firing")

NUM_CLIENTS = 3


@pytest.fixture(scope="module")
def task() -> ModuleType:
    """What the app's clients and server share."""
    with importing_from(APPS / "dptrained", {"dptrainedapp"}):
        return importlib.import_module("dptrainedapp.task")


def epsilon_of(charges: list[Charge], delta: float) -> float:
    """Return what dp-accounting itself says of a client's charges."""
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    for each in charges:
        step = dp_accounting.GaussianDpEvent(each.noise_multiplier)
        sampled = dp_accounting.PoissonSampledDpEvent(each.sampling, step)
        accountant.compose(sampled, each.count)
    return float(accountant.get_epsilon(delta))


def check(folder: RunFolder, task: ModuleType) -> None:
    """Two rounds were charged to each client and to no other; later ones had no reply."""
    journal = open_journal(folder)
    rounds = list(journal.rounds())
    names = {each.identity for each in rounds[0].facts.replies}
    assert len(names) == NUM_CLIENTS
    statuses = [each.decision.status for each in rounds]
    assert statuses[:2] == [RoundStatus.ACCEPTED] * 2
    assert set(statuses[2:]) == {RoundStatus.REJECTED}
    late = [reply for each in rounds[2:] for reply in each.facts.replies]
    refused = {(each.verdict, each.reason) for each in late}
    assert refused == {(Verdict.QUARANTINED, "error: BudgetError")}
    charges = defaultdict(list)
    for charge in journal.charges():
        charges[charge.client].append(charge)
    assert set(charges) == names
    rates = set()
    for own in charges.values():
        assert [(each.round, each.count, each.unit) for each in own] == [
            (1, 3, Unit.EXAMPLE),
            (2, 3, Unit.EXAMPLE),
        ]
        rates.add(own[0].sampling)
        epsilon = epsilon_of(own, task.PRIVACY.delta)
        assert epsilon == pytest.approx(task.PRIVACY.epsilon, rel=2e-3)
    assert rates == {50 / len(task.examples(k)) for k in range(NUM_CLIENTS)}
    verification = verify(folder)
    assert verification.ok
    (ledger,) = [each.detail for each in verification.lines if each.name == "privacy ledger"]
    assert ledger.startswith("6 charges that 3 clients reported, epsilon ")


def test_dp_sgd_is_charged_in_process(tmp_path: Path, task: ModuleType) -> None:
    check(completed("dptrained", tmp_path, clients=NUM_CLIENTS), task)


@pytest.mark.slow
@needs_proc
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two Ray actors")
def test_another_ray_actor_knows_what_was_spent(tmp_path: Path, task: ModuleType) -> None:
    notes = tmp_path / "processes"
    folder = completed(
        "dptrained",
        tmp_path,
        clients=NUM_CLIENTS,
        engine=Engine.SIMULATION,
        overrides=[f'notes="{notes}"', "num-server-rounds=6"],
    )
    check(folder, task)
    processes = defaultdict(set)
    for line in notes.read_text().splitlines():
        partition, process = line.split()
        processes[partition].add(process)
    assert max(map(len, processes.values())) > 1  # two actors take what comes, six times


@pytest.mark.slow
@needs_proc
def test_dp_sgd_is_charged_on_supernodes(tmp_path: Path, task: ModuleType) -> None:
    with federation(tmp_path / "federation", clients=NUM_CLIENTS) as address:
        folder = completed(
            "dptrained",
            tmp_path,
            clients=NUM_CLIENTS,
            engine=Engine.DEPLOYMENT,
            superlink=address,
        )
    check(folder, task)
    assert marked(str(tmp_path)) == {}
