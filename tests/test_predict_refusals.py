"""`parity predict` refuses bad rows and spoilt model folders in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from parity_flwr.app.tabular import reading
from parity_flwr.cli.main import execute
from predicted_tables import mixed, trained

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return mixed(tmp_path / "people.csv")


@pytest.fixture
def run_id(table: Path, capsys: Any) -> str:
    return str(trained(table, "sick", "logistic", capsys=capsys)["run_id"])


BAD_ROWS = [
    ("age,colour,smokes,seen\n1,red,true,2024-01-01\n", "no 'dose'"),
    ("age,age,dose,colour,smokes,seen\n1,1,1,red,true,2024-01-01\n", "'age' twice"),
    ("age,dose,colour,smokes,seen\nold,1,red,true,2024-01-01\n", "numbers in 'age'"),
    ("age,dose,colour,smokes,seen\n", "rows below its header"),
    ("", "a header and rows"),
    ("age,dose,colour,smokes,seen\n1,1,red,true\n", "fields that fit"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_ROWS)
def test_bad_rows_are_one_line(
    text: str, expected: str, run_id: str, tmp_path: Path, capsys: Any
) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text(text)
    output = tmp_path / "out.csv"
    assert execute(["predict", run_id, str(rows), "--output", str(output)]) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert [path.name for path in tmp_path.glob("out.csv*")] == []


def test_late_trouble_leaves_nothing_behind(
    run_id: str, table: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK", 700)
    rows = tmp_path / "new.csv"
    rows.write_text(table.read_text() + "old,1,red,true,2024-02-01,yes\n")
    assert execute(["predict", run_id, str(rows), "--output", str(tmp_path / "out.csv")]) == 2
    assert "fields that fit their columns" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("out.csv*")] == []
    rows.write_bytes(table.read_bytes() + b"1,1,r\xe9d,true,2024-02-01,yes\n")
    assert execute(["predict", run_id, str(rows), "--output", str(tmp_path / "out.csv")]) == 2
    assert "UTF-8" in capsys.readouterr().err
    assert execute(["predict", run_id, str(table), "--output", str(table)]) == 2
    assert "a file of their own" in capsys.readouterr().err


HOSTILE: list[tuple[str, Any]] = [
    ("manifest.json", lambda text: ""),
    ("manifest.json", lambda text: "[" * 100_000),
    ("manifest.json", lambda text: text.replace('"linear"', '"pickle"')),
    ("manifest.json", lambda text: text.replace('"linear"', '"forest"')),
    ("manifest.json", lambda text: text.replace('"linear"', '"network"')),
    ("manifest.json", lambda text: text.replace('"format": 1', '"format": 2')),
    ("encoding.json", lambda text: "{}"),
    ("encoding.json", lambda text: text.replace('"scale": ', '"scale": -')),
    ("encoding.json", lambda text: text.replace('"mean": ', '"mean": 1e999, "was": ')),
    ("encoding.json", lambda text: text.replace('"no"', '"yes"')),
    ("encoding.json", lambda text: text.replace('"yes"', '"yes", "perhaps"')),
    ("encoding.json", lambda text: text.replace('"blue"', '"blue", "black"')),
    ("encoding.json", lambda text: text.replace('"classification"', '"regression"')),
]


@pytest.mark.parametrize(("name", "change"), HOSTILE)
def test_a_spoilt_folder_is_refused_in_one_line(
    name: str, change: Any, run_id: str, home: Path, table: Path, tmp_path: Path, capsys: Any
) -> None:
    path = home / "runs" / run_id / "model" / name
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    output = tmp_path / "out.csv"
    assert execute(["predict", run_id, str(table), "--output", str(output)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not output.exists()


def test_a_run_without_a_model_folder_says_so(run_id: str, home: Path, table: Path) -> None:
    model = home / "runs" / run_id / "model"
    assert json.loads((model / "manifest.json").read_text())["files"] == [
        "README.md",
        "encoding.json",
        "model.safetensors",
    ]
    shutil.rmtree(model)
    assert execute(["predict", run_id, str(table)]) == 2
    assert execute(["predict", "nobody", str(table)]) == 2
