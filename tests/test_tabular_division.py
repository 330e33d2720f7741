"""Who gets which rows of a table: `--partition`, and clients that a column names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.app.tabular.data import load_rows, load_table
from parity_flwr.app.tabular.division import MOST_CLIENTS, Division
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError, DataError

pytest.importorskip("pyarrow")

SIZES = {"007": 60, "A, B": 30, "Süd": 10, "one": 1}


def table(tmp_path: Path, extra: str = "") -> Path:
    """Write a table whose ``x`` numbers the rows, in four clinics of different size."""
    lines, row = ["x,z,clinic,ill"], 0
    for name, size in SIZES.items():
        for _ in range(size):
            lines.append(f'{row},{row % 7},"{name}",{row % 2}')
            row += 1
    path = tmp_path / "clinics.csv"
    path.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")
    return path


def plan(path: Path, **changes: object) -> TabularPlan:
    options = {
        "data": path,
        "target": "ill",
        "model": Model.LOGISTIC,
        "clients": 0,
        "partition": "by:clinic",
    }
    return TabularPlan(**{**options, **changes})  # type: ignore[arg-type]


def test_each_value_is_a_client_with_its_own_rows(tmp_path: Path) -> None:
    rows = load_rows(plan(table(tmp_path)))
    assert rows.names == ("007", "A, B", "Süd", "one")
    assert rows.plan.clients == 4
    assert "clinic" not in rows.features.columns
    first = 0
    for part, size in zip(rows.parts, SIZES.values(), strict=True):
        assert all(first <= k < first + size for k in part)
        first += size
    # A fifth of the rows of each class of each clinic; of a single row none.
    assert rows.examples == [48, 24, 8, 1]
    together = np.sort(np.concatenate([*rows.parts, rows.held]))
    assert together.tolist() == list(range(101))


def test_rows_without_a_client_or_a_target_are_left_out(tmp_path: Path) -> None:
    data = load_table(plan(table(tmp_path, "1,1,,1\n1,1,NA,0\n1,1,one,\n")))
    assert data.skipped == 3
    assert data.names == ("007", "A, B", "Süd", "one")


def test_a_number_of_clients_may_be_given_if_it_is_right(tmp_path: Path) -> None:
    path = table(tmp_path)
    assert load_rows(plan(path, clients=4)).plan.clients == 4
    with pytest.raises(ConfigError, match=r"makes 4 clients.*--clients 3.*leave out"):
        load_rows(plan(path, clients=3))


@pytest.mark.parametrize(
    ("column", "expected"),
    [("hospital", "a column 'hospital'"), ("ill", "another column than the target")],
)
def test_a_column_that_names_no_clients_is_refused(
    column: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, DataError), match=expected):
        load_rows(plan(table(tmp_path), partition=f"by:{column}"))


def test_one_client_and_thousands_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rows = [f"{k},{k},same,{k % 2}" for k in range(MOST_CLIENTS + 1)]
    path.write_text("x,id,same,ill\n" + "\n".join(rows) + "\n", encoding="utf-8")
    for column, count in (("same", "1"), ("id", str(MOST_CLIENTS + 1))):
        with pytest.raises(DataError, match=rf"'{column}'.*came {count};|'{column}'.*{count}"):
            load_rows(plan(path, partition=f"by:{column}"))


def test_clients_are_only_counted_where_a_column_names_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="clients needs a number from 1"):
        plan(tmp_path, partition="iid")


@given(st.text(max_size=12))
def test_any_text_is_a_division_or_refused(text: str) -> None:
    kind = text.partition(":")[0]
    if kind in {"iid", "stratified", "sequential", "dirichlet", "label-skew", "quantity", "by"}:
        return
    with pytest.raises(ConfigError) as refused:
        Division.parse(text)
    assert "\n" not in str(refused.value)


def test_label_skew_gives_each_client_its_classes() -> None:
    labels = np.repeat(np.arange(5), 20)
    parts = Division.parse("label-skew:2").parts(labels, clients=10, seed=1)
    assert [len(np.unique(labels[part])) for part in parts] == [2] * 10


@pytest.mark.parametrize("model", ["logistic", "neural_network", "random_forest"])
def test_a_run_by_a_column_from_the_command_line(
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra = {"neural_network": "torch", "random_forest": "sklearn"}
    if model in extra:
        pytest.importorskip(extra[model])
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    command = ["run", str(table(tmp_path)), "--target", "ill", "--model", model]
    command += ["--partition", "by:clinic", "--rounds", "2", "--json"]
    assert execute(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["clients"] == 4
    assert result["client_names"] == ["007", "A, B", "Süd", "one"]
    assert (result["train_rows"], result["test_rows"]) == (81, 20)
    assert execute([*command, "--clients", "10"]) == 2
    assert "makes 4 clients" in capsys.readouterr().err
