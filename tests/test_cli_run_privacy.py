"""`parity run data.csv --privacy LEVEL`: what is promised, charged, refused and kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.data import load_rows
from parity_flwr.app.tabular.encoding_file import read_encoding
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.verification.verify import verify
from parity_flwr.cli.main import execute
from parity_flwr.clients import load_forest
from private_tables import RARE, command, people

pytest.importorskip("pyarrow")
pytest.importorskip("torch")
pytest.importorskip("opacus")
pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook is firing")

EPSILON = {"low": 8.0, "medium": 3.0, "high": 1.0}
MODELS = {
    "neural_network": ("sick", "accuracy", 0.8),
    "logistic": ("sick", "accuracy", 0.8),
    "random_forest": ("sick", "accuracy", 0.7),
    "linear": ("cost", "r2", 0.6),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("table") / "people.csv", rare=8)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def result_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert execute([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("level", EPSILON)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_keeps_every_levels_promise(
    model: str, level: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, best, least = MODELS[model]
    assert execute([*command(table, target, model, "--privacy", level), "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    privacy = result["privacy"]
    assert privacy["level"] == level
    assert privacy["epsilon"] == EPSILON[level]
    assert privacy["meaning"][0].startswith(f"privacy {level}: epsilon {EPSILON[level]:g}")
    assert printed.err.index(privacy["meaning"][0]) < printed.err.index("round 1")
    rounds = 2 if model in ("neural_network", "logistic") else 1
    assert set(privacy["charges"].values()) == {1 + rounds}  # the encoding, and the rounds
    assert all(0 < each <= EPSILON[level] for each in privacy["spent_by_client"].values())
    assert privacy["spent"] == pytest.approx(EPSILON[level], rel=2e-3)
    assert 0 < privacy["encoding"] < privacy["training"] < privacy["spent"]
    assert privacy["spent"] < privacy["encoding"] + privacy["training"]
    folder = RunFolder(Path(result["path"]))
    verified = verify(folder)
    assert verified.ok
    (ledger,) = [each.detail for each in verified.lines if each.name == "privacy ledger"]
    assert ledger.startswith(f"{4 * (1 + rounds)} charges that 4 clients reported, epsilon ")
    assert f" of {EPSILON[level]:g} at delta" in ledger
    header = open_journal(folder).header()
    assert header is not None
    assert header.config["client-privacy"]["epsilon"] == EPSILON[level]
    sums = level == "high"
    plain = "ReputationFedAvg" if rounds == 2 else "ReleasedSums"
    assert header.strategy == ("SecureAggregation" if sums else plain)
    assert ("averaging: plain" in privacy["meaning"][-1]) == sums
    assert result["metrics"][best] > least
    assert RARE not in (folder.path / "encoding.json").read_text()


@pytest.mark.parametrize(
    ("target", "level"), [("sick", "low"), ("sick", "high"), ("cost", "low")]
)
def test_a_private_forest_is_a_scikit_learn_forest_on_disk(
    target: str, level: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skops")
    arguments = command(table, target, "random_forest", "--privacy", level, "--seed", "3")
    result = result_of(arguments, capsys)
    folder = Path(result["path"])
    estimator = load_forest(folder / "model" / "model.skops")
    plan = TabularPlan(
        data=table, target=target, model=Model.RANDOM_FOREST, clients=4, rounds=2, seed=3
    )
    test = read_encoding(folder, load_rows(plan)).test
    x = test.x.astype(np.float32)
    if target == "sick":
        right = estimator.predict(x) == np.array(["no", "yes"])[np.asarray(test.y, np.int64)]
        assert right.mean() == pytest.approx(result["metrics"]["accuracy"], rel=1e-12)
    else:
        error = float(((estimator.predict(x) - test.y) ** 2).mean() ** 0.5)
        assert error == pytest.approx(result["metrics"]["rmse"], rel=1e-9)


@pytest.mark.parametrize("model", ["neural_network", "random_forest"])
def test_numbers_are_predicted_too(
    model: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = result_of(command(table, "cost", model, "--privacy", "low"), capsys)
    assert result["metrics"]["r2"] > 0.4
    assert result["privacy"]["spent"] <= 8.0


def test_a_table_of_numbers_alone_has_all_of_delta(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line.split(",") for line in table.read_text().splitlines()]
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("\n".join(",".join(row[:2] + row[4:]) for row in rows) + "\n")
    privacy = result_of(command(numbers, "cost", "linear", "--privacy", "low"), capsys)[
        "privacy"
    ]
    assert privacy["naming_delta"] == 0.0
    assert privacy["spent"] == pytest.approx(8.0, rel=2e-3)


def test_rare_levels_are_named_without_a_level_only(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = result_of(command(table, "sick", "logistic", "--privacy", "off"), capsys)
    text = (Path(off["path"]) / "encoding.json").read_text()
    assert RARE in text  # so that its absence above says something
    assert off["privacy"] == {
        "level": "off",
        "meaning": ["privacy off: nothing is promised; the server sees every update"],
    }


def test_what_is_promised_comes_first_and_what_was_spent_last(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--privacy", "medium", "--epsilon", "2", "--delta", "1e-6", "--quiet")
    assert execute(command(table, "cost", "linear", *options)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("privacy medium: epsilon 2, delta 1e-06 over the whole run")
    assert lines[1].startswith("encoding: ")
    assert lines[2] == "averaging: by reputation, from noisy updates"
    (spent,) = [line for line in lines[3:] if line.startswith("privacy")]
    assert "of 2 spent at delta 1e-06" in spent


def test_noise_comes_from_no_seed(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(table, "sick", "random_forest", "--privacy", "low", "--seed", "5")
    one, other = (result_of(arguments, capsys) for _ in range(2))
    assert one["model_hash"] != other["model_hash"]
    texts = [(Path(each["path"]) / "encoding.json").read_text() for each in (one, other)]
    assert texts[0] != texts[1]


LOW = ("--privacy", "low")
REFUSED = [
    ((*LOW, "--epsilon", "0"), "epsilon"),
    ((*LOW, "--epsilon", "-1"), "epsilon"),
    ((*LOW, "--epsilon", "nan"), "epsilon"),
    ((*LOW, "--epsilon", "inf"), "epsilon"),
    ((*LOW, "--delta", "0"), "delta"),
    ((*LOW, "--delta", "1"), "delta"),
    ((*LOW, "--delta", "nan"), "delta"),
    ((*LOW, "--delta", "0.01"), "below 1/n"),
    ((*LOW, "--clip", "inf"), "clip"),
    ((*LOW, "--clip", "0"), "clip"),
    (("--privacy", "off", "--epsilon", "1"), "epsilon needs a privacy level"),
    (("--epsilon", "1"), "epsilon needs a privacy level"),
    (("--clip", "1"), "clip needs a privacy level"),
    (("--privacy", "most"), "--privacy"),
    ((*LOW, "--model", "random_forest", "--clip", "1"), "no gradients"),
    (("--privacy", "high", "--clients", "2"), "3 clients"),
    ((*LOW, "--epsilon", "0.01"), "does not hide"),
]


@pytest.mark.parametrize(("options", "expected"), REFUSED)
def test_what_promises_nothing_is_one_line(
    options: tuple[str, ...],
    expected: str,
    table: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert execute(command(table, "sick", "logistic", *options)) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.splitlines()[-1].startswith("error: ")
    assert len(captured.err.splitlines()) == 1
    assert not (home / "runs").exists()


def test_an_app_has_no_level_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(tmp_path), "--privacy", "low"]) == 2
    assert "--privacy needs a CSV file" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "level", "dies"),
    [
        ("random_forest", "low", 1),  # the first client's encoding
        ("random_forest", "low", 4),  # the second client's counts
        ("logistic", "low", 2),  # the first client's first round
        ("logistic", "low", 11),  # a client's second round, after a commit
        ("logistic", "high", 12),  # the same beneath a mask
    ],
)
def test_a_kill_after_a_charge_forgets_nothing_and_charges_nothing_twice(
    model: str,
    level: str,
    dies: int,
    table: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = Path(__file__).with_name("private_tables.py")
    killed = subprocess.run(
        [sys.executable, str(script), str(table), model, level, str(dies)], check=False
    )
    assert killed.returncode == -9
    (folder,) = (home / "runs").iterdir()
    before = (folder / "encoding.json").read_bytes()
    arguments = command(table, "sick", model, "--resume", "latest")
    assert execute([*arguments, "--privacy", level, "--epsilon", "9"]) == 2
    assert "privacy settings" in capsys.readouterr().err
    assert execute(arguments) == 2  # without a level
    capsys.readouterr()
    result = result_of([*arguments, "--privacy", level], capsys)
    rounds = 2 if model == "logistic" else 1
    assert set(result["privacy"]["charges"].values()) == {1 + rounds}
    assert result["privacy"]["spent"] == pytest.approx(EPSILON[level], rel=2e-3)
    assert result["privacy"]["spent"] <= EPSILON[level]
    assert (folder / "encoding.json").read_bytes() == before
    assert verify(RunFolder(folder)).ok
