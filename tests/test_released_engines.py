"""Private sums from an app: the same model on every engine, each row charged once."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from federations import APPS, completed, completed_on_three_engines
from parity_flwr.app.engines.engine import Engine
from parity_flwr.app.engines.importing import importing_from
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.checkpoint import read_model
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.forest import forest_values
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.privacy.sums_release import SUMS
from parity_flwr.core.records import Verdict
from process_tree import needs_proc

NUM_CLIENTS = 4
LINEAR = ('model="linear"', "hidden=false")
FOREST = ('model="forest"', "hidden=true")


@pytest.fixture(scope="module")
def task() -> ModuleType:
    """What the app's clients and server share."""
    with importing_from(APPS / "released", {"releasedapp"}):
        return importlib.import_module("releasedapp.task")


def mean_of_releases(task: ModuleType, model: str) -> np.ndarray:
    """Return the mean of what the clients draw, by hand."""
    release = task.LINEAR if model == "linear" else task.FOREST
    drawn = []
    for k in range(NUM_CLIENTS):
        table = task.rows(k, model=model)
        stream = RandomStream(task.noise_seed(k))
        drawn.append(release.drawn(table.x, table.y, stream=stream))
    return np.asarray(np.mean(drawn, axis=0))


def sums(folder: RunFolder, mechanism: Mechanism) -> np.ndarray:
    """Return the run's result; its journal is sound and holds one charge of each client."""
    journal = open_journal(folder)
    (one,) = journal.rounds()
    assert {each.verdict for each in one.facts.replies} == {Verdict.ACCEPTED}
    names = {each.identity for each in one.facts.replies}
    assert {(each.client, each.mechanism) for each in journal.charges()} == {
        (name, mechanism) for name in names
    }
    verification = verify(folder)
    assert verification.ok
    lines = {each.name: each.detail for each in verification.lines}
    assert lines["privacy ledger"].startswith("4 charges that 4 clients reported, epsilon ")
    assert " of 4 at delta 1e-05" in lines["privacy ledger"]
    return read_model(folder.model)[SUMS]


def check_linear(folder: RunFolder, task: ModuleType) -> None:
    found = sums(folder, Mechanism.GAUSSIAN)
    assert np.allclose(found, mean_of_releases(task, "linear"), rtol=1e-9)
    model = task.LINEAR.fitted({SUMS: found}, clients=NUM_CLIENTS)
    assert model["coef"][0] == pytest.approx([0.8, -0.6, 0.3], abs=0.1)
    assert model["intercept"][0] == pytest.approx(0.1, abs=0.05)


def check_forest(folder: RunFolder, task: ModuleType) -> None:
    found = sums(folder, Mechanism.DISCRETE_LAPLACE)
    exact = np.rint(mean_of_releases(task, "forest") * NUM_CLIENTS)
    assert (np.rint(found * NUM_CLIENTS) == exact).all()  # masked, and right to the last row
    table = task.rows(99, model="forest")
    forest = task.FOREST.fitted({SUMS: found}, clients=NUM_CLIENTS)
    assert (forest_values(forest, table.x).argmax(axis=1) == table.y).mean() > 0.85


def test_an_app_releases_statistics_in_process(tmp_path: Path, task: ModuleType) -> None:
    folder = completed("released", tmp_path, clients=NUM_CLIENTS, overrides=LINEAR)
    check_linear(folder, task)


def test_an_app_releases_leaf_counts_under_masks(tmp_path: Path, task: ModuleType) -> None:
    folder = completed("released", tmp_path, clients=NUM_CLIENTS, overrides=FOREST)
    check_forest(folder, task)


@pytest.mark.slow
@needs_proc
def test_statistics_are_released_alike_in_simulation(tmp_path: Path, task: ModuleType) -> None:
    folder = completed(
        "released", tmp_path, clients=NUM_CLIENTS, engine=Engine.SIMULATION, overrides=LINEAR
    )
    check_linear(folder, task)


@pytest.mark.slow
@needs_proc
def test_leaf_counts_are_released_alike_on_three_engines(
    tmp_path: Path, task: ModuleType
) -> None:
    found = completed_on_three_engines(
        "released", tmp_path, clients=NUM_CLIENTS, overrides=FOREST
    )
    assert set(found) == set(Engine)
    for folder in found.values():
        check_forest(folder, task)
    hashes = {one.model_hash for each in found.values() for one in open_journal(each).rounds()}
    assert len(hashes) == 1  # masked sums are of integers, in any order
