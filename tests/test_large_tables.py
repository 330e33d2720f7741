"""Tables in a scratch file: the same results as in memory, every row used, nothing left."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.tabular import assigning, loading, slices
from parity_flwr.app.tabular.arranging import stored_rows
from parity_flwr.app.tabular.data import exactly_encoded, load_rows
from parity_flwr.app.tabular.loading import load
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.reading import read_csv
from parity_flwr.app.tabular.scratch import Scratch
from parity_flwr.app.tabular.slices import StoredTables, slices_of
from parity_flwr.app.tabular.spilling import spill
from parity_flwr.cli.main import execute
from parity_flwr.core.linear import merge, root_of
from parity_flwr.errors import DataError, RunError

pytest.importorskip("pyarrow")

ROWS = 600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a table of all kinds of columns, with missing values everywhere."""
    rng = np.random.default_rng(5)
    lines = ["n,clinic,seen,flag,code,sick,cost"]
    for k in range(ROWS):
        n = "" if k % 11 == 0 else f"{rng.normal():.4f}"
        clinic = "" if k % 97 == 5 else f"C{rng.integers(4)}"
        seen = f"2024-{1 + k % 12:02d}-{1 + k % 28:02d}"
        flag = ["true", "false", "NA"][k % 3]
        code = f"id{k}" if k % 2 else "common"
        sick = "" if k % 59 == 7 else ["no", "yes"][int(rng.random() < 0.4)]
        lines.append(f"{n},{clinic},{seen},{flag},{code},{sick},{rng.normal():.3f}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def plan(path: Path, **changes: Any) -> TabularPlan:
    options = {"data": path, "target": "sick", "model": Model.LOGISTIC, "clients": 4}
    return TabularPlan(**{**options, **changes})


def spilled(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a spilled table, as lists with None for what is missing."""
    table = spill(path)
    found = {}
    for name in table.pieces:
        values = np.concatenate(list(table.batches(name)))
        levels = table.levels.get(name)
        found[name] = plain(values if levels is None else levels.texts(values))
    return found


def plain(values: Any) -> list[Any]:
    return [None if each != each else each for each in values.tolist()]


def in_memory(path: Path) -> dict[str, list[Any]]:
    return {name: plain(each) for name, each in read_csv(path).columns.items()}


def test_a_scratch_file_gives_back_what_it_got() -> None:
    scratch = Scratch()
    first = scratch.append(np.arange(10, dtype=np.int32))
    second = scratch.append(np.array([True, False]))
    room = scratch.reserve(3, "<f8")
    scratch.write(room, np.array([1, 2, 3]))
    assert scratch.read(first.part(4, 6)).tolist() == [4, 5]
    assert scratch.read(second).tolist() == [True, False]
    assert scratch.read(room).tolist() == [1.0, 2.0, 3.0]
    assert scratch.read(first.part(3, 3)).size == 0
    assert scratch.size == 40 + 2 + 24


def test_a_full_disk_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = Scratch()
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        monkeypatch.setattr(scratch, "_file", full.fileno())
        with pytest.raises(RunError, match=r"No space left.*TMPDIR"):
            scratch.append(np.zeros(3))


def test_both_ways_read_the_same(path: Path) -> None:
    assert spilled(path) == in_memory(path)
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert spilled(packed) == in_memory(path)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("7", "7.5"), ("7", "text"), ("7.5", "text"), ("true", "7"), ("1", "true"),
        ("2024-01-02", "2024-01-02 03:04:05"), ("2024-01-02 03:04:05", "2024-01-02"),
        ("2024-01-02", "never"), ("12:30:00", "7"), ("NA", "7"), ("", "text"), ("", "7.5"),
        ("7", 'say "hi"'), ("7", "a, b"), ("7", "99999999999999999999"),
        ("2024-01-02 03:04:05", "2024-01-02 03:04:05.25"), ("7", "inf"), ("true", "x"),
    ],
)  # fmt: skip
def test_a_value_far_down_widens_its_column(first: str, later: str, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    filler = "x" * 200  # so that the last row is not in the first block
    quoted = '"' + later.replace('"', '""') + '"'
    lines = [f"{first},{filler},{k}" for k in range(30_000)] + [f"{quoted},{filler},1"]
    path.write_text("value,text,row\n" + "\n".join(lines) + "\n", encoding="utf-8")
    if later == "inf":
        assert spilled(path)["value"][-1] is None
    else:
        assert spilled(path)["value"][-3:] == in_memory(path)["value"][-3:]


PARTITIONS = [
    "iid", "stratified", "sequential", "dirichlet:0.5", "label-skew:1", "quantity:2",
    "by:clinic",
]  # fmt: skip


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("target", ["sick", "cost"])
def test_both_ways_give_each_client_the_same(partition: str, target: str, path: Path) -> None:
    count = 0 if partition.startswith("by:") else 4
    asked = plan(path, partition=partition, target=target, clients=count)
    whole, stored = load_rows(asked), stored_rows(asked)
    assert (stored.skipped, stored.names, stored.plan) == (
        whole.skipped,
        whole.names,
        whole.plan,
    )
    assert stored.examples == whole.examples
    assert stored.target.classes == whole.target.classes
    a, b = exactly_encoded(whole), exactly_encoded(stored)
    assert a.encoder == b.encoder
    assert (a.centre, a.scale, a.train_rows) == (b.centre, b.scale, b.train_rows)
    for one, other in zip([*a.clients, a.test], [*b.clients, b.test], strict=True):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.y, other.y)
        assert (one.x.dtype, one.y.dtype) == (other.x.dtype, other.y.dtype)


MODELS = [("sick", "logistic"), ("cost", "linear"), ("sick", "random_forest"),
          ("sick", "neural_network")]  # fmt: skip


@pytest.mark.parametrize(("target", "model"), MODELS)
def test_both_ways_end_with_the_same_model(
    target: str,
    model: str,
    path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, needed in (("neural_network", "torch"), ("random_forest", "sklearn")):
        if model == name:
            pytest.importorskip(needed)
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    command = ["run", str(path), "--target", target, "--model", model, "--clients", "3"]
    found = []
    for least in (loading.LARGE, 1):
        monkeypatch.setattr(loading, "LARGE", least)
        assert execute([*command, "--rounds", "2", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    same = ("model_hash", "metrics", "train_rows", "test_rows", "skipped_rows", "inputs")
    assert [found[0][key] for key in same] == [found[1][key] for key in same]


def test_size_decides(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(exactly_encoded(load(plan(path))).clients, StoredTables)
    monkeypatch.setattr(loading, "LARGE", path.stat().st_size)
    assert isinstance(exactly_encoded(load(plan(path))).clients, StoredTables)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_of_more_rows_than_are_sampled_each_is_somewhere(
    partition: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigning, "SAMPLED", 150)
    count = 0 if partition.startswith("by:") else 4
    rows = stored_rows(plan(path, partition=partition, target="cost", clients=count))
    used = ROWS - rows.skipped
    held = rows.store.starts[-1] - rows.store.starts[-2]
    assert sum(rows.examples) + held == used
    assert 20 <= held <= 40  # a fifth of the 150 that are sampled
    assert min(rows.examples) > 0
    whole = np.sort(np.concatenate([*rows.clients_targets()]))
    assert len(np.setdiff1d(whole, read_csv(path).columns["cost"])) == 0


def test_more_rows_are_divided_by_the_shares_of_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "two.csv"
    rng = np.random.default_rng(0)
    lines = [f"{k},{c}" for k, c in enumerate(rng.integers(0, 2, 20_000))]
    path.write_text("x,sick\n" + "\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr(assigning, "SAMPLED", 2_000)
    rows = stored_rows(plan(path, partition="label-skew:1", clients=2))
    assert [len(np.unique(y)) for y in rows.clients_targets()] == [1, 1]
    rows = stored_rows(plan(path, partition="quantity:0.3", clients=3, seed=4))
    sampled = load_rows(plan(path, partition="quantity:0.3", clients=3, seed=4))
    assert len(sampled.examples) == len(rows.examples) == 3
    rows = stored_rows(plan(path, partition="sequential", clients=2))
    first, second = (each.columns["x"] for each in rows.clients())
    assert np.median(first) < 5_500
    assert np.median(second) > 14_500


def test_slices_have_every_row_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = plan(path, model=Model.LINEAR, target="cost", clients=2)
    whole = exactly_encoded(load_rows(asked))
    monkeypatch.setattr(slices, "LONGEST_SLICE", 50)
    monkeypatch.setattr(slices, "_LEAST_SLICE", 1)
    tables = exactly_encoded(stored_rows(asked)).clients
    assert isinstance(tables, StoredTables)
    for client, table in enumerate(whole.clients):
        count = len(tables.slices[client])
        assert count == -(-len(table) // 50)
        parts = [tables.table(client, turn) for turn in range(count)]
        for turn, part in enumerate(parts):
            np.testing.assert_array_equal(part.x, table.x[turn::count])
            np.testing.assert_array_equal(part.y, table.y[turn::count])
        together = merge([root_of(part.x, part.y.astype(float)) for part in parts])
        at_once = root_of(table.x, table.y.astype(float))
        np.testing.assert_allclose(
            np.asarray(together.mean, float), np.asarray(at_once.mean, float), atol=1e-12
        )


def test_slices_are_bounded_by_rows_and_by_values() -> None:
    assert slices_of(1, inputs=5) == 1
    assert slices_of(slices.LONGEST_SLICE, inputs=5) == 1
    assert slices_of(slices.LONGEST_SLICE + 1, inputs=5) == 2
    assert slices_of(10_000, inputs=10_000) == 6  # of 1677 rows
    assert slices_of(0, inputs=3) == 1


@pytest.mark.parametrize("model", ["linear", "random_forest", "neural_network"])
def test_a_run_on_slices_learns(
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, needed in (("neural_network", "torch"), ("random_forest", "sklearn")):
        if model == name:
            pytest.importorskip(needed)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(900, 3))
    y = x @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=900)
    path = tmp_path / "plane.csv"
    np.savetxt(path, np.column_stack([x, y]), delimiter=",", header="a,b,c,y", comments="")
    monkeypatch.setattr(loading, "LARGE", 1)
    monkeypatch.setattr(slices, "LONGEST_SLICE", 100)
    monkeypatch.setattr(slices, "_LEAST_SLICE", 1)
    monkeypatch.setattr(assigning, "SAMPLED", 500)
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    command = ["run", str(path), "--target", "y", "--model", model, "--clients", "3"]
    assert execute([*command, "--rounds", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["train_rows"] + found["test_rows"] == 900
    assert found["metrics"]["r2"] > (0.99 if model == "linear" else 0.75)


def test_what_memory_refuses_is_refused_on_disk(path: Path) -> None:
    with pytest.raises(DataError, match="target column 'gone'"):
        stored_rows(plan(path, target="gone"))
    with pytest.raises(DataError, match="at most 100 classes"):
        stored_rows(plan(path, target="code"))
    with pytest.raises(DataError, match="a column 'gone'"):
        stored_rows(plan(path, partition="by:gone"))
