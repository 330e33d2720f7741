"""`parity predict`: the federation's own predictions, for new rows, from `model/`."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.runs.checkpoint import CheckpointStore
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular import predicting, reading
from parity_flwr.app.tabular.data import load_rows, load_table
from parity_flwr.app.tabular.federation import build_federation
from parity_flwr.app.tabular.model_folder import open_model
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.cli.main import execute
from predicted_tables import mixed, predicted, some_lines, trained

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")

CASES = [
    ("sick", "neural_network"),
    ("sick", "logistic"),
    ("sick", "random_forest"),
    ("grade", "neural_network"),
    ("grade", "logistic"),
    ("grade", "random_forest"),
    ("cost", "neural_network"),
    ("cost", "linear"),
    ("cost", "random_forest"),
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return mixed(tmp_path / "people.csv")


def plan_of(table: Path, target: str, model: str) -> TabularPlan:
    return TabularPlan(data=table, target=target, model=Model(model), clients=4, rounds=3)


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("target", "model"), CASES)
def test_predictions_are_the_federations_own(
    target: str, model: str, tmp_path: Path, capsys: Any
) -> None:
    table = mixed(tmp_path / "people.csv", target)
    if model == "neural_network":
        pytest.importorskip("torch")
    result = trained(table, target, model, capsys=capsys)
    plan = plan_of(table, target, model)
    held = some_lines(table, load_rows(plan).held, tmp_path / "held.csv")
    found = predicted(result["run_id"], held, tmp_path / "out.csv", capsys=capsys)
    assert found["metrics"] == pytest.approx(result["metrics"], rel=1e-6)
    assert (found["rows"], found["judged_rows"], found["notes"]) == (80, 80, [])
    data, folder = load_table(plan), RunFolder(Path(result["path"]))
    store = CheckpointStore(folder=folder.checkpoints)
    arrays = store.read(store.rounds()[-1]).model
    wanted = build_federation(plan, data, journal=None).fitted(arrays).predict(data.test.x)
    rows = lines_of(tmp_path / "out.csv")
    if not data.classes:
        np.testing.assert_allclose([float(each["prediction"]) for each in rows], wanted, 1e-5)
        return
    shares = [[float(each[f"probability_{k}"]) for k in data.classes] for each in rows]
    np.testing.assert_allclose(shares, wanted, rtol=1e-4, atol=1e-6)
    chosen = [str(data.classes[k]) for k in wanted.argmax(axis=1)]
    assert [each["prediction"] for each in rows] == chosen


@pytest.mark.parametrize(
    ("target", "model", "level"),
    [
        pytest.param("sick", "neural_network", "medium", marks=pytest.mark.slow),
        pytest.param("sick", "logistic", "high", marks=pytest.mark.slow),
        ("cost", "linear", "low"),
        pytest.param("cost", "random_forest", "high", marks=pytest.mark.slow),
        ("sick", "random_forest", "low"),
    ],
)
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_private_runs_predict_too(
    target: str, model: str, level: str, tmp_path: Path, capsys: Any
) -> None:
    pytest.importorskip("opacus")
    people = mixed(tmp_path / "people.csv", target, rows=1600)
    options = ("--privacy", level, "--epsilon", "8")
    result = trained(people, target, model, *options, capsys=capsys)
    held = load_rows(plan_of(people, target, model)).held
    rows = some_lines(people, held, tmp_path / "held.csv")
    found = predicted(result["run_id"], rows, tmp_path / "out.csv", capsys=capsys)
    assert found["metrics"] == pytest.approx(result["metrics"], rel=1e-6)
    card = (Path(result["model_folder"]) / "README.md").read_text()
    assert f"{level}: epsilon {result['privacy']['spent']:.6g} at delta" in card


@pytest.mark.parametrize("target", ["sick", "cost"])
def test_onnx_and_torch_answer_alike(target: str, tmp_path: Path, capsys: Any) -> None:
    table = mixed(tmp_path / "people.csv", target)
    runtime = pytest.importorskip("onnxruntime")
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    result = trained(table, target, "neural_network", capsys=capsys)
    folder = Path(result["model_folder"])
    data = load_table(plan_of(table, target, "neural_network"))
    session = runtime.InferenceSession(folder / "model.onnx")
    (answers,) = session.run(None, {"inputs": data.test.x})
    model = open_model(folder)
    wanted = model.fitted.predict(data.test.x)
    np.testing.assert_allclose(answers.reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)
    sizes = [weight.shape for weight, _ in model.fitted.layers]
    layers: list[Any] = []
    for outputs, inputs in sizes:
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    state = {name: torch.from_numpy(each) for name, each in model.fitted.arrays.items()}
    network.load_state_dict(state)
    scores = network(torch.from_numpy(data.test.x)).detach().double()
    own = (
        torch.softmax(scores, 1).numpy()
        if data.classes
        else scores[:, 0].numpy() * data.scale + data.centre
    )
    np.testing.assert_allclose(own, wanted, rtol=1e-4, atol=1e-6)


def test_without_onnx_the_rest_is_written(
    table: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    result = trained(table, "sick", "neural_network", capsys=capsys)
    assert any("model.onnx" in note and "[onnx]" in note for note in result["notes"])
    assert not (Path(result["model_folder"]) / "model.onnx").exists()
    assert open_model(Path(result["model_folder"])).encoding.target == "sick"


@pytest.mark.parametrize(
    ("target", "model"),
    [("sick", "neural_network"), ("cost", "linear"), ("grade", "random_forest")],
)
def test_the_card_says_how_to_load_it(
    target: str,
    model: str,
    tmp_path: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = mixed(tmp_path / "people.csv", target)
    for name in {"neural_network": ["torch", "onnx", "onnxruntime"]}.get(model, []):
        pytest.importorskip(name)
    pytest.importorskip("skops" if model == "random_forest" else "safetensors")
    result = trained(table, target, model, capsys=capsys)
    copied = tmp_path / "elsewhere" / "copied"
    shutil.copytree(result["model_folder"], copied)
    shutil.copy(table, copied / "new.csv")
    monkeypatch.chdir(copied)
    data = load_table(plan_of(table, target, model))
    blocks = (copied / "README.md").read_text().split("```python\n")[1:]
    names: dict[str, Any] = {"inputs": data.test.x}
    for block in blocks:
        exec(block.partition("```")[0], names)
    wanted = open_model(copied).fitted.predict(data.test.x)
    assert names["values"].shape[0] == 400
    if model == "linear":
        own = names["scores"][:, 0]
    elif model == "random_forest":
        own, wanted = names["answers"], np.array(data.classes)[wanted.argmax(axis=1)]
    else:
        own = names["outputs"]
    np.testing.assert_allclose(own, wanted, rtol=1e-4, atol=1e-6)


def test_the_task_can_be_overridden(tmp_path: Path, capsys: Any) -> None:
    table = mixed(tmp_path / "people.csv", "grade")
    result = trained(table, "grade", "linear", "--task", "regression", capsys=capsys)
    assert (result["task"], set(result["metrics"])) == ("regression", {"r2", "rmse", "mae"})
    found = predicted(result["run_id"], table, tmp_path / "out.csv", capsys=capsys)
    assert found["task"] == "regression"
    assert 0 < float(lines_of(tmp_path / "out.csv")[0]["prediction"]) < 4


@pytest.fixture
def run_id(table: Path, capsys: Any) -> str:
    return str(trained(table, "sick", "logistic", capsys=capsys)["run_id"])


def test_blocks_give_what_one_block_gives(
    run_id: str, table: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predicted(run_id, table, tmp_path / "whole.csv", capsys=capsys)
    monkeypatch.setattr(reading, "BLOCK", 700)
    monkeypatch.setattr(predicting, "MOST_JUDGED", 150)
    blocks = predicted(run_id, table, tmp_path / "blocks.csv", capsys=capsys)
    assert blocks["rows"] == whole["rows"] == 400
    shares = [
        [float(each["probability_yes"]) for each in lines_of(tmp_path / f"{name}.csv")]
        for name in ("blocks", "whole")
    ]
    np.testing.assert_allclose(
        shares[0], shares[1], rtol=1e-9
    )  # sums of another length round elsewhere
    assert blocks["judged_rows"] == 150
    assert blocks["notes"] == ["metrics: of the first 150 rows, without 250 more"]


def test_new_rows_may_look_different(run_id: str, tmp_path: Path, capsys: Any) -> None:
    """Columns in another order, unseen levels, levels like numbers, and more columns."""
    rows = tmp_path / "new.csv"
    rows.write_text(
        "seen;extra;colour;smokes;age;dose;sick\n"
        "2024-02-03;x;17;true;80;;yes\n;y;18;false;81;-0.5;no\n;;;;;;perhaps\n"
    )
    found = predicted(run_id, rows, tmp_path / "out.csv", capsys=capsys)
    assert found["ignored_columns"] == ["extra"]
    assert (found["rows"], found["judged_rows"]) == (3, 2)
    assert "without 1 rows with a target that is missing or unknown" in found["notes"][0]
    shares = [float(each["probability_yes"]) for each in lines_of(tmp_path / "out.csv")]
    assert shares[0] > 0.9
    assert all(0 < each < 1 for each in shares)


def test_without_a_target_there_are_no_metrics(
    run_id: str, table: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.split(",") for line in table.read_text().splitlines()]
    rows = tmp_path / "new.csv"
    rows.write_text("\n".join(",".join(each[:5]) for each in lines) + "\n")
    monkeypatch.chdir(tmp_path)
    assert execute(["predict", run_id, "new.csv"]) == 0
    shown = capsys.readouterr().out
    assert "predicted  sick for 400 rows" in shown
    assert "written    new.predictions.csv" in shown
    assert "accuracy" not in shown
    assert len(lines_of(tmp_path / "new.predictions.csv")) == 400
