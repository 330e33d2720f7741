"""The quickstart app: its layout, and a short run of its own code in this process."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, RecordDict

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import evaluate_arrays, initial_arrays
from parity_flwr.errors import ConfigError

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.repository


@dataclass
class Quickstart:
    project: dict[str, Any]
    config: dict[str, Any]
    task: Any
    client: Any
    server: Any

    def run(self, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[float]:
        """Run the app with four clients and return the central accuracies."""
        accuracies: list[float] = []

        def recorded(*args: Any) -> tuple[float, float]:
            result = evaluate_arrays(*args)
            accuracies.append(result[1])
            return result

        monkeypatch.setattr(self.server, "evaluate_arrays", recorded)
        config = {**self.config, "num-server-rounds": 2, "min-nodes": 4, **changes}
        with InProcessGrid(self.client.app, 4, run_config=config) as grid:
            self.server.app(grid, Context(1, 1, {}, RecordDict(), config))
        return accuracies


@pytest.fixture
def quickstart(repository: Path) -> Iterator[Quickstart]:
    folder = repository / "examples" / "quickstart"
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    sys.path.insert(0, str(folder))
    try:
        names = ("task", "client_app", "server_app")
        parts = [importlib.import_module(f"parity_quickstart.{name}") for name in names]
        yield Quickstart(project, project["tool"]["flwr"]["app"]["config"], *parts)
    finally:
        sys.path.remove(str(folder))


def test_the_project_is_what_flower_wants(quickstart: Quickstart) -> None:
    assert quickstart.project["project"]["name"] == "quickstart"
    assert quickstart.project["project"]["dependencies"] == []
    components = quickstart.project["tool"]["flwr"]["app"]["components"]
    for name, part in (("clientapp", quickstart.client), ("serverapp", quickstart.server)):
        assert components[name] == f"{part.__name__}:app"


def test_it_learns_and_repeats_bit_for_bit(
    quickstart: Quickstart, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = quickstart.run(monkeypatch)
    assert len(first) == 3
    assert first[-1] > first[0] + 0.2
    assert quickstart.run(monkeypatch) == first


def test_attackers_by_configuration_change_the_run(
    quickstart: Quickstart, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = quickstart.run(monkeypatch)
    attacked = quickstart.run(monkeypatch, attackers="2:sign_flip")
    assert attacked[0] == honest[0]
    assert attacked[1:] != honest[1:]


def test_a_typing_error_in_attackers_ends_the_run(
    quickstart: Quickstart, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="attackers need PARTITION:NAME"):
        quickstart.run(monkeypatch, attackers="2:sgn_flip")


def test_the_central_test_set_is_disjoint_from_training(quickstart: Quickstart) -> None:
    data = quickstart.task.load_federation(10, 0, 0.5)
    central = quickstart.task.load_central_test(0)
    assert central.x.tobytes() == data.x_test.tobytes()
    assert len(central) + len(data.x_train) == 1797


def test_a_new_model_knows_nothing(quickstart: Quickstart) -> None:
    arrays = initial_arrays(quickstart.task.MODEL, seed=0)
    _, accuracy = evaluate_arrays(
        quickstart.task.MODEL, arrays, quickstart.task.load_central_test(0)
    )
    assert accuracy < 0.3
