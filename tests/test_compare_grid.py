"""Plans, result folders, processes and tables of `parity compare`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from parity_flwr.app.compare.data import load_samples
from parity_flwr.app.compare.plan import Cell, Plan
from parity_flwr.app.compare.plot import worst_curves
from parity_flwr.app.compare.presets import grid, narrowed, paper_table_2, smoke
from parity_flwr.app.compare.run import Comparison, compare
from parity_flwr.app.compare.summary import markdown
from parity_flwr.app.compare.task import PARTITIONS
from parity_flwr.app.compare.workers import run_cell
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError, DataError

SMALL = replace(
    smoke(None).federation,
    dataset="clusters",
    rounds=5,
    clients=6,
    min_size=5,
    root_examples=30,
    learning_rate=0.05,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write ten clusters with noise as a file that --data reads."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    y = rng.integers(10, size=1500)
    x = rng.standard_normal((10, 16))[y] + 0.4 * rng.standard_normal((1500, 16))
    cut = {"x_train": x[300:], "y_train": y[300:], "x_test": x[:300], "y_test": y[:300]}
    np.savez(folder / "clusters.npz", **cut)  # type: ignore[arg-type]
    return folder


def plan(folder: Path | None = None, **chosen: Any) -> Plan:
    """Return the smoke test with five rounds and, by default, four cells."""
    short = replace(smoke(None), federation=SMALL, data=folder)
    defaults: dict[str, Any] = {
        "strategies": ("reputation", "oracle"),
        "attacks": ("sign_flip", "alie"),
        "fractions": (0.34,),
        "partitions": ("iid",),
    }
    return narrowed(short, **{**defaults, **chosen})


def run(made: Plan, output: Path, *, resume: bool = False, jobs: int = 1) -> Comparison:
    return compare(made, output, jobs=jobs, resume=resume, on_progress=lambda done, of: None)


def test_fraction_0_has_no_attack_and_no_attack_has_fraction_0() -> None:
    threats = {(c.attack, c.fraction) for c in plan(fractions=(0.0, 0.34)).cells()}
    assert threats == {("none", 0.0), ("sign_flip", 0.34), ("alie", 0.34)}


def test_the_grid_is_the_design_notes() -> None:
    whole = grid(Path())
    assert len(whole.strategies["reputation"]) == 5
    assert len(whole.strategies["krum"]) == 2
    cells = whole.cells()
    assert len(cells) == (5 * 5 + 9 * 2) * 4 * (1 + 3 * 18)
    assert {cell.seed for cell in cells[: len(cells) // 8]} == {0}


@pytest.mark.parametrize("preset", [grid, paper_table_2])
def test_presets_on_files_need_a_folder(preset: Any) -> None:
    with pytest.raises(ConfigError, match="--data DIR"):
        preset(None)


@pytest.mark.parametrize(
    "bad",
    [
        {"strategies": ("best",)},
        {"attacks": ("none",)},
        {"partitions": ("random",)},
        {"fractions": (0.5,)},
        {"fractions": (float("nan"),)},
        {"seeds": (-1,)},
    ],
)
def test_plans_without_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        plan(**bad)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_partition_runs(partition: str, data: Path) -> None:
    cell = Cell(strategy="fedavg", attack="none", fraction=0.0, partition=partition, seed=0)
    outcome = run_cell(SMALL, data, cell)
    assert 0.1 < outcome["accuracy"] < 1
    assert len(outcome["curve"]) == 5


@pytest.mark.slow
def test_results_do_not_depend_on_the_processes_and_resume_where_they_stopped(
    tmp_path: Path, data: Path
) -> None:
    first = run(plan(data), tmp_path, jobs=2)
    lines = first.results.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    # The oracle's two cells are one run; the attack is nothing to it.
    told = {(r["strategy"], r["attack"]): r for r in first.records}
    assert told["oracle", "alie"]["curve"] == told["oracle", "sign_flip"]["curve"]

    # One process died while it wrote its second line; another, alone, does the rest.
    first.results.write_bytes(lines[0] + lines[1][:20])
    resumed = run(plan(data), tmp_path, resume=True)
    assert resumed.records == first.records
    assert resumed.results.read_bytes().startswith(lines[0])
    assert sorted(resumed.results.read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert resumed.plot.read_bytes()[:4] == b"\x89PNG"
    assert "| reputation | sign_flip |" in resumed.table.read_text(encoding="utf-8")


def test_a_folder_with_results_is_carried_on_only_when_told_to(tmp_path: Path) -> None:
    done(tmp_path)
    with pytest.raises(ConfigError, match="--resume"):
        run(plan(), tmp_path)
    other = replace(plan(), federation=replace(SMALL, rounds=6))
    with pytest.raises(ConfigError, match="began with"):
        run(other, tmp_path, resume=True)
    assert len(run(plan(), tmp_path, resume=True).records) == 4


def done(folder: Path) -> None:
    """Write the results of a plan without running it."""
    from parity_flwr.app.compare.store import ResultFolder

    store = ResultFolder(folder)
    store.open(plan(), resume=False)
    store.append([record(cell) for cell in plan().cells()])


def record(cell: Cell, accuracy: float = 0.5) -> dict[str, Any]:
    """Return a result line."""
    detected = cell.strategy == "reputation"
    return {
        "strategy": cell.strategy,
        "attack": cell.attack,
        "fraction": cell.fraction,
        "partition": cell.partition,
        "seed": cell.seed,
        "accuracy": accuracy,
        "curve": [0.1, 0.5],
        "rounds_to_90": 2,
        "attackers": [0, 1],
        "auc": 0.75 if detected else None,
        "fell": [4, None] if detected else None,
        "honest_excluded_ever": [3] if detected else None,
        "honest_excluded_end": [] if detected else None,
    }


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[1]",
        "{",
        '{"strategy": "a", "attack": "b", "fraction": 0, "partition": "c", "seed": 0}',
        "[" * 100_000,
        "\x00",
    ],
)
def test_lines_that_are_no_results_are_refused(tmp_path: Path, line: str) -> None:
    done(tmp_path)
    with (tmp_path / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"line 5 of results\.jsonl"):
        run(plan(), tmp_path, resume=True)


def test_the_table_shows_means_spreads_and_detection() -> None:
    first = Cell(strategy="reputation", attack="alie", fraction=0.2, partition="iid", seed=0)
    cells = [first, replace(first, seed=1), replace(first, strategy="oracle")]
    table = markdown([record(cell, 0.5 + cell.seed / 10) for cell in cells])
    assert "## iid, 20% attackers" in table
    assert "| reputation | 55.0 ± 5.0 | 55.0 | 55.0 |" in table
    assert "| oracle | 50.0 | 50.0 | 50.0 |" in table
    assert "| reputation | alie | 0.750 | 2 of 4 | 4 | 2 | 0 |" in table
    assert "| iid | 20% | reputation | 2.0 | 2.0 | 1 of 1 |" in table  # seed 1 has no oracle


def test_the_table_shows_when_attackers_had_weight() -> None:
    cell = Cell(strategy="reputation", attack="on_off", fraction=0.2, partition="iid", seed=0)
    line = {**record(cell, 0.5), "attackers_share": [0.2, 0.2, 0.1, 0.0, 0.0, 0.0]}
    assert "| 1 of 2 | 4 | 1 | 0 | 20.0%, 5.0%, 0.0% |" in markdown([line])


def test_the_plot_shows_the_worst_attack() -> None:
    cell = Cell(strategy="median", attack="alie", fraction=0.2, partition="iid", seed=0)
    records = [record(cell, 0.6), record(replace(cell, attack="ipm"), 0.4)]
    assert worst_curves(records) == {"iid": {"median": [(0.2, 0.4)]}}


def write_npz(folder: Path, **changes: Any) -> Path:
    """Write a small data set, or a broken one."""
    arrays: dict[str, Any] = {
        "x_train": np.zeros((8, 2, 2), np.uint8),
        "y_train": np.arange(8) % 2,
        "x_test": np.zeros((4, 2, 2), np.uint8),
        "y_test": np.arange(4) % 2,
    }
    arrays.update(changes)
    np.savez(folder / "made.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder


def test_files_are_read_and_standardised(tmp_path: Path) -> None:
    x = np.repeat(np.array([0, 255], np.uint8), 16).reshape(8, 2, 2)
    made = load_samples("made", write_npz(tmp_path, x_train=x))
    assert (made.x_train.shape, str(made.x_train.dtype), made.classes) == ((8, 4), "float32", 2)
    assert (made.x_train.min(), made.x_train.max(), made.x_test.max()) == (-1, 1, -1)


@pytest.mark.parametrize(
    "changes",
    [
        {"x_test": None},
        {"x_train": np.zeros((7, 2, 2), np.uint8)},
        {"x_train": np.full((8, 2, 2), np.nan)},
        {"x_train": np.zeros((8, 2, 2), complex)},
        {"x_test": np.zeros((4, 3), np.uint8)},
        {"y_train": np.full(8, -1)},
        {"y_train": np.zeros(8, np.int64)},
        {"y_train": np.arange(8) / 2},
        {"y_train": np.array([{}] * 8)},
        {"y_test": np.array([0, 1, 2, 0])},
        {"y_train": np.full(8, 10**6)},
    ],
)
def test_files_that_hold_no_data_set_are_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"made\.npz needs to hold a data set"):
        load_samples("made", write_npz(tmp_path, **changes))


def test_files_that_are_missing_cut_or_huge_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError):
        load_samples("made", tmp_path)
    path = write_npz(tmp_path) / "made.npz"
    monkeypatch.setattr("parity_flwr.app.compare.data.MAX_BYTES", 100)
    with pytest.raises(DataError, match="more than 100"):
        load_samples("made", tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError):
        load_samples("made", tmp_path)


def test_the_command_ends_with_its_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    chosen = ["--strategies", "reputation", "--attacks", "alie", "--fractions", "0.3"]
    where = ["--partitions", "iid", "--seeds", "7,", "--output", str(tmp_path / "out")]
    assert execute(["compare", *chosen, *where, "--jobs", "1", "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    wanted = {"strategy": "reputation", "attack": "alie", "fraction": 0.3, "seed": 7}
    assert {key: cell[key] for key in wanted} == wanted
    assert cell["partition"] == "iid"
    assert 0.5 < cell["accuracy"] < 1
    assert 0 <= cell["auc"] <= 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0"],
        ["--seeds", "x"],
        ["--fractions", "a"],
        ["--resume"],
        ["--strategies", "best"],
        ["--preset", "grid"],
        ["--data", "/nowhere"],
    ],
)
def test_wrong_options_exit_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["compare", *arguments]) == 2
    assert "error: " in capsys.readouterr().err
