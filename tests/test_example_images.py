"""The example `images`: its sources of images, and a short run on each."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flower_runs import flwr_run
from parity_flwr.app.engines.engine import Engine, RunOutcome, run_app
from parity_flwr.app.engines.importing import importing_from
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.errors import ConfigError
from process_tree import needs_proc

pytest.importorskip("torch")
pytest.importorskip("mlxtend")
pytestmark = pytest.mark.repository

SMALL = ["num-server-rounds=1 local-epochs=1 min-nodes=4 max-train-examples=160"]


def image_file(path: Path, *, colours: int = 1) -> Path:
    """Write 160 and 40 images of 8 x 8: one class is dark, the other bright."""
    rng = np.random.default_rng(0)

    def some(n: int) -> tuple[Any, Any]:
        y = np.arange(n) % 2
        x = rng.integers(0, 100, (n, 8, 8, colours)) + 150 * y[:, None, None, None]
        return (x[..., 0] if colours == 1 else x).astype(np.uint8), y

    x_train, y_train = some(160)
    x_test, y_test = some(40)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


def run(repository: Path, folder: Path, *overrides: str) -> RunOutcome:
    return run_app(
        repository / "examples" / "images",
        engine=Engine.INPROCESS,
        folder=RunFolder(folder / "run"),
        num_clients=4,
        run_config_overrides=[*SMALL, "attackers='1:sign_flip'", *overrides],
    )


def accuracies(outcome: RunOutcome) -> list[float]:
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    evaluations = open_journal(outcome.journal).evaluations()
    return [each.metrics["accuracy"] for each in evaluations if each.source == "server"]


@pytest.fixture
def task(repository: Path) -> Iterator[Any]:
    with importing_from(repository / "examples" / "images", {"parity_images"}):
        yield importlib.import_module("parity_images.task")


def test_grey_and_coloured_pixels_find_their_place(task: Any) -> None:
    grey = task.pictures(np.arange(8).reshape(2, 4) / 8)
    assert grey.shape == (2, 1, 2, 2)
    assert grey[1, 0].tolist() == [[0, 0.25], [0.5, 0.75]]
    colours = np.zeros((1, 2, 2, 3))
    colours[0, 0, 1] = 1, 0.5, 0  # the pixel at row 0, column 1: red and some green
    found = task.pictures(colours.reshape(1, -1))
    assert found[0, :, 0, 1].tolist() == [1, 0, -1]
    with pytest.raises(ConfigError, match="square"):
        task.pictures(np.zeros((1, 10)))


@pytest.mark.parametrize("colours", [1, 3])
def test_it_learns_a_file_of_the_user_s(repository: Path, tmp_path: Path, colours: int) -> None:
    path = image_file(tmp_path / "own.npz", colours=colours)
    outcome = run(
        repository, tmp_path, f"data='{path}'", "classes=2 local-epochs=8 num-server-rounds=2"
    )
    curve = accuracies(outcome)
    assert len(curve) == 3
    assert curve[-1] > 0.9


def test_without_a_file_it_takes_what_a_package_ships(repository: Path, tmp_path: Path) -> None:
    assert len(accuracies(run(repository, tmp_path))) == 2


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("data='absent.npz'",), "absent.npz needs to hold a data set"),
        (("data='a.npz'", "dataset='b'"), "images need one source"),
        (("attackers='1:unknown'",), "attackers need PARTITION:NAME"),
    ],
)
def test_a_wrong_source_is_one_line(
    repository: Path, tmp_path: Path, overrides: tuple[str, ...], said: str
) -> None:
    outcome = run(repository, tmp_path, *overrides)
    assert (outcome.status, outcome.exit_code) == ("failed", 2)
    assert said in outcome.reason
    assert "\n" not in outcome.reason


OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def parity_run(repository: Path, home: Path, *arguments: str) -> Any:
    command = [
        *(sys.executable, "-m", "parity_flwr.cli.main", "run"),
        *(str(repository / "examples" / "images"), "--engine", "inprocess", "--json"),
        *("--clients", "4", "--quiet", "--run-config", SMALL[0], *arguments),
    ]
    variables = {**os.environ, **OFFLINE, "PARITY_HOME": str(home), "HF_HOME": str(home)}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_real_loaders_divide_a_folder_of_images(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("flwr_datasets")
    image = pytest.importorskip("PIL.Image")
    with np.load(image_file(tmp_path / "own.npz")) as file:
        for split in ("train", "test"):
            for k, (x, y) in enumerate(
                zip(file[f"x_{split}"], file[f"y_{split}"], strict=True)
            ):
                folder = tmp_path / "pictures" / split / f"class-{y}"
                folder.mkdir(parents=True, exist_ok=True)
                image.fromarray(x).save(folder / f"{k}.png")
    done = parity_run(
        repository,
        tmp_path / "home",
        "--run-config",
        f"dataset='{tmp_path / 'pictures'}' classes=2 attackers='' local-epochs=8",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metric"]["value"] > 0.9


@pytest.mark.slow
def test_without_a_network_the_hub_is_one_line(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("flwr_datasets")
    done = parity_run(repository, tmp_path, "--run-config", "dataset='ylecun/mnist'")
    assert done.returncode == 2
    assert "the data set 'ylecun/mnist' needs a network" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@needs_proc
def test_plain_flwr_runs_it(repository: Path, tmp_path: Path) -> None:
    path = image_file(tmp_path / "own.npz")
    log = flwr_run(
        repository / "examples" / "images",
        tmp_path / "flower",
        clients=4,
        run_config=f"{SMALL[0]} data='{path}' classes=2 attackers='1:sign_flip'",
    )
    assert "Strategy execution finished" in log
