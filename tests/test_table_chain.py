"""`parity run data.csv --chain embedded`: rounds anchored, clients paid, for every model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.cli.main import execute
from predicted_tables import mixed
from process_tree import needs_proc

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")
pytest.importorskip("web3")
pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook is firing")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def anchored(tmp_path: Path, target: str, model: str, *options: str, capsys: Any) -> Any:
    """Return the run's result and what each client earned, after a verification."""
    table = mixed(tmp_path / "people.csv", target, rows=1600)
    given = ["--target", target, "--model", model, "--clients", "4", "--rounds", "3"]
    status = execute(["run", str(table), *given, "--chain", "embedded", *options, "--json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    result = json.loads(printed.out)
    assert (result["chain"]["waiting"], result["chain"]["trouble"]) == (0, "")
    verified = verify(RunFolder(Path(result["path"])))
    assert verified.ok, verified.lines
    assert any("chain" in line.name for line in verified.lines)
    assert execute(["rewards", result["run_id"], "--json"]) == 0
    clients = json.loads(capsys.readouterr().out)["clients"]
    earned = {each["identity"]: float(each["earned"]) for each in clients}
    assert set(earned) == {f"client-{k}" for k in range(4)}
    return result, earned


@pytest.mark.parametrize(
    ("target", "model", "options"),
    [
        ("sick", "logistic", ("--attack", "label_flip:0.25")),
        pytest.param(
            "cost", "linear", ("--attack", "label_flip:0.25"), marks=pytest.mark.slow
        ),
        pytest.param("sick", "random_forest", (), marks=pytest.mark.slow),
        pytest.param("sick", "neural_network", (), marks=pytest.mark.slow),
        pytest.param(
            "sick", "random_forest", ("--privacy", "high", "--epsilon", "8"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "sick", "logistic", ("--engine", "simulation", "--attack", "sign_flip:0.25"),
            marks=[pytest.mark.slow, needs_proc],
        ),
    ],
)  # fmt: skip
def test_every_model_pays_and_a_liar_earns_less(
    target: str, model: str, options: tuple[str, ...], tmp_path: Path, capsys: Any
) -> None:
    result, earned = anchored(tmp_path, target, model, *options, capsys=capsys)
    assert sum(earned.values()) == pytest.approx(1000 * result["accepted_rounds"])
    if result["attack"] is not None:
        (liar,) = result["attack"]["attackers"]
        assert result["attack"]["found"] == [liar]
        assert earned[liar] < 0.8 * min(each for name, each in earned.items() if name != liar)
