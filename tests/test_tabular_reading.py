"""CSV files: what comes out of good ones, and one line about each bad one."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.app.tabular.data import load_table
from parity_flwr.app.tabular.features import (
    LevelRule,
    NumberRule,
    learn_encoder,
    survey,
)
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.reading import RawTable, read_csv
from parity_flwr.app.tabular.target import Task, split_target
from parity_flwr.errors import ConfigError, DataError, ParityError

pytest.importorskip("pyarrow")

ROWS = "\n".join(f"{k},{'red' if k % 3 else 'blue'},{k % 2}" for k in range(60))
GOOD = f"age,colour,ill\n{ROWS}\n"


def written(tmp_path: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def plan(path: Path, **changes: object) -> TabularPlan:
    options = {"data": path, "target": "ill", "model": Model.LOGISTIC, "clients": 4}
    return TabularPlan(**{**options, **changes})  # type: ignore[arg-type]


BAD: dict[str, tuple[str | bytes, str]] = {
    "an empty file": ("", "an empty file"),
    "only a header": ("age,ill\n", "rows below its header"),
    "no such target": ("age,sick\n1,2\n3,4\n", "the target column 'ill'"),
    "one class": ("age,ill\n1,yes\n2,yes\n3,yes\n", "only 'yes'"),
    "a target without values": ("age,ill\n1,\n2,\n", "none in 'ill'"),
    "fewer rows than clients": ("age,ill\n1,a\n2,b\n3,a\n", "each of 4 clients"),
    "a column without values": ("age,empty,ill\n1,,a\n2,NA,b\n", "none in 'empty'"),
    "a header twice": ("age,age,ill\n1,2,a\n2,3,b\n", "'age' twice"),
    "a name missing": ("age,,ill\n1,2,a\n2,3,b\n", "a name for every column"),
    "a line too long": ("age,ill\n1,a\n2,b,c\n", "same fields"),
    "latin-1 values": ("age,ill\n1,männlich\n2,b\n".encode("latin-1"), "UTF-8"),
    "a latin-1 header": ("größe,ill\n1,a\n2,b\n".encode("latin-1"), "UTF-8"),
    "UTF-16": ("age,ill\n1,a\n2,b\n".encode("utf-16"), "UTF-8"),
    "nothing but the target": ("ill\na\nb\n", "besides the target"),
    "two hundred classes": (
        "age,ill\n" + "".join(f"{k},c{k}\n" for k in range(200)), "at most 100 classes"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    text, expected = BAD[name]
    with pytest.raises(DataError) as refused:
        load_table(plan(written(tmp_path, text)))
    message = str(refused.value)
    assert expected in message
    assert "\n" not in message
    assert "data.csv" in message


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataError, match="readable"):
            read_csv(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_kinds_of_columns(delimiter: str, tmp_path: Path) -> None:
    text = "a,b,c,d,e\n1,x,true,2024-01-02,2024-01-01T00:00:05\n,,false,1970-01-01,?\n"
    table = read_csv(written(tmp_path, "\ufeff" + text.replace(",", delimiter)))
    assert table.columns["a"][0] == 1
    assert np.isnan(table.columns["a"][1])
    assert table.columns["b"].tolist() == ["x", None]
    assert table.columns["c"].tolist() == [1.0, 0.0]
    assert table.columns["d"].tolist() == [19724.0, 0.0]
    assert table.columns["e"][0] == 1704067205.0


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))
    assert len(read_csv(path)) == 60


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["0", "1"] * 30, Task.CLASSIFICATION, (0, 1)),
        (["1.5", "2.5"] * 30, Task.CLASSIFICATION, (1.5, 2.5)),
        (["a", "b", "c"] * 20, Task.CLASSIFICATION, ("a", "b", "c")),
        ([str(k % 4) for k in range(60)], Task.CLASSIFICATION, (0, 1, 2, 3)),
        ([str(k) for k in range(60)], Task.REGRESSION, ()),
        ([str(k / 7) for k in range(60)], Task.REGRESSION, ()),
    ],
)
def test_the_task_is_inferred(
    values: list[str], task: Task, classes: tuple[object, ...], tmp_path: Path
) -> None:
    text = "x,y\n" + "".join(f"{k},{value}\n" for k, value in enumerate(values))
    path = written(tmp_path, text)
    _, target = split_target(path, read_csv(path), "y")
    assert (target.task, target.classes) == (task, classes)


def test_the_task_may_be_given(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    _, target = split_target(path, read_csv(path), "ill", task=Task.REGRESSION)
    assert target.y.dtype == np.float64
    with pytest.raises(DataError, match="texts"):
        split_target(path, read_csv(path), "colour", task=Task.REGRESSION)


def test_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    data = load_table(plan(written(tmp_path, GOOD + "99,red,\n")))
    assert data.skipped == 1
    assert sum(len(each) for each in data.clients) + len(data.test) == 60


def test_encoding_by_hand() -> None:
    table = RawTable(
        {
            "x": np.array([1.0, 3.0, np.nan, 2.0] * 3),
            "c": np.array(["a", "b", None, "a"] * 3, object),
            "id": np.array([f"n{k}" for k in range(12)], object),
            "same": np.ones(12),
        }
    )
    encoder = learn_encoder([survey(table)])
    assert encoder.dropped == ("id", "same")
    assert encoder.names == ("x", "x missing", "c=a", "c=other")
    inputs = encoder.encode(table)[:4]
    scale = np.sqrt(2 / 3)
    np.testing.assert_allclose(inputs[:, 0], [-1 / scale, 1 / scale, 0, 0], rtol=1e-6)
    assert inputs[:, 1:].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]]


def test_times_are_inputs_and_names_are_dropped(tmp_path: Path) -> None:
    lines = [
        f"p{k:03d},2024-01-{1 + k % 28:02d}T12:00:00Z,2024-02-{1 + k % 9:02d},{k % 2}"
        for k in range(60)
    ]
    path = written(tmp_path, "name,seen,born,ill\n" + "\n".join(lines) + "\n")
    data = load_table(plan(path))
    assert data.encoder.names == ("seen", "born")
    assert data.encoder.dropped == ("name",)
    inputs = np.concatenate([each.x for each in data.clients])
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std(axis=0), 1, atol=1e-4)


def test_a_level_that_only_the_test_rows_have_is_another() -> None:
    train = RawTable({"c": np.array(["a"] * 5 + ["b"] * 5, object)})
    encoder = learn_encoder([survey(train)])
    seen = encoder.encode(RawTable({"c": np.array(["z", None, "b"], object)}))
    assert seen.tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]


@given(st.lists(st.integers(-1000, 1000), min_size=4, max_size=60), st.integers(1, 4))
def test_sums_of_parts_are_the_statistics_of_the_whole(values: list[int], parts: int) -> None:
    column = np.array(values, np.float64)
    pieces = [RawTable({"x": each}) for each in np.array_split(column, parts)]
    if np.ptp(column) == 0:
        with pytest.raises(ConfigError):
            learn_encoder([survey(each) for each in pieces])
        return
    rule = learn_encoder([survey(each) for each in pieces]).rules["x"]
    assert isinstance(rule, NumberRule)
    assert rule.mean == pytest.approx(column.mean(), abs=1e-9)
    assert rule.scale == pytest.approx(column.std(), rel=1e-6)


def test_only_twenty_levels_get_an_input() -> None:
    texts = np.array([f"l{k:02d}" for k in range(30) for _ in range(5 + k)], object)
    rule = learn_encoder([survey(RawTable({"c": texts}))]).rules["c"]
    assert isinstance(rule, LevelRule)
    assert set(rule.levels) == {f"l{k:02d}" for k in range(10, 30)}


@pytest.mark.parametrize(
    "partition",
    ["iid", "stratified", "sequential", "dirichlet:0.5", "label-skew:1", "quantity:1"],
)
def test_every_partition_divides_all_rows(partition: str, tmp_path: Path) -> None:
    data = load_table(plan(written(tmp_path, GOOD), partition=partition))
    assert len(data.clients) == 4
    assert sum(len(each) for each in data.clients) == 48


@pytest.mark.parametrize(
    "partition",
    [
        "",
        "iid:3",
        "dirichlet",
        "dirichlet:-1",
        "who:2",
        "label:2",
        "label-skew:1.5",
        "by:",
        "iid:",
        "quantity:inf",
    ],
)
def test_unknown_partitions_are_refused(partition: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="partition"):
        plan(tmp_path, partition=partition)


@pytest.mark.parametrize("wrong", [{"clients": 0}, {"rounds": 0}, {"test_share": 1.0}])
def test_plans_out_of_range_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ParityError):
        plan(tmp_path, **wrong)
