"""`--attack KIND:FRACTION`: who lies, who is found, what is refused, what a resume keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.attack import Attackers, check_attack
from parity_flwr.app.tabular.attack_asked import AttackAsked
from parity_flwr.app.tabular.plan import Model, PrivacyAsked, TabularPlan
from parity_flwr.app.tabular.plan_file import read_plan, write_plan
from parity_flwr.app.verification.verify import verify
from parity_flwr.cli.main import execute
from parity_flwr.clients import Table
from parity_flwr.clients.attacks import ATTACKS
from parity_flwr.core.privacy.presets import Level
from parity_flwr.errors import ConfigError
from predicted_tables import mixed
from process_tree import needs_proc

pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def command(table: Path, target: str, model: str, *options: str) -> list[str]:
    given = ["--target", target, "--model", model, "--clients", "10"]
    return ["run", str(table), *given, *options]


def result_of(arguments: list[str], capsys: Any) -> dict[str, Any]:
    status = execute([*arguments, "--json"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    found: dict[str, Any] = json.loads(printed.out)
    return found


def plan_of(model: str = "logistic", **changes: Any) -> TabularPlan:
    return TabularPlan(data=Path("x.csv"), target="y", model=Model(model), **changes)


@pytest.mark.parametrize(
    ("target", "model", "attack", "rounds", "metric", "least"),
    [
        ("sick", "logistic", "label_flip:0.3", 5, "accuracy", 0.9),
        ("sick", "logistic", "sign-flip:0.3", 5, "accuracy", 0.9),
        ("sick", "logistic", "free_rider:0.2", 5, "accuracy", 0.9),
        ("sick", "logistic", "nan:0.2", 3, "accuracy", 0.9),
        ("cost", "linear", "label_flip:0.3", 1, "r2", 0.95),
        pytest.param(
            *("sick", "random_forest", "label_flip:0.3", 3, "accuracy", 0.88),
            marks=pytest.mark.slow,
        ),
        ("sick", "random_forest", "free_rider:0.3", 3, "accuracy", 0.88),
    ],
)
def test_attackers_are_found_and_cost_little(
    target: str,
    model: str,
    attack: str,
    rounds: int,
    metric: str,
    least: float,
    tmp_path: Path,
    capsys: Any,
) -> None:
    table = mixed(tmp_path / "people.csv", target, rows=2000)
    options = ("--rounds", str(rounds), "--attack", attack)
    result = result_of(command(table, target, model, *options), capsys)
    found = result["attack"]
    assert found["found"] == found["attackers"]
    assert len(found["attackers"]) == round(10 * found["fraction"])
    assert len(found["honest_without_a_say"]) <= 1
    assert result["metrics"][metric] > least
    assert verify(RunFolder(Path(result["path"]))).ok


def test_a_network_of_few_rows_trusts_its_honest_clients(tmp_path: Path, capsys: Any) -> None:
    """With two epochs of five steps all ten were excluded by round 10."""
    pytest.importorskip("torch")
    table = mixed(tmp_path / "people.csv", rows=1000)
    result = result_of(command(table, "sick", "neural_network", "--rounds", "6"), capsys)
    assert result["accepted_rounds"] == 6
    assert (result["excluded"], result["attack"]) == ([], None)
    assert result["metrics"]["accuracy"] > 0.9


def test_a_networks_attackers_are_found(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("torch")
    table = mixed(tmp_path / "people.csv", rows=1000)
    options = ("--rounds", "6", "--attack", "sign_flip:0.3")
    found = result_of(command(table, "sick", "neural_network", *options), capsys)["attack"]
    assert found["found"] == found["attackers"]
    assert found["honest_without_a_say"] == []


def test_the_end_says_who_was_found(tmp_path: Path, capsys: Any) -> None:
    table = mixed(tmp_path / "people.csv", rows=2000)
    options = ("--attack", "label_flip:0.3", "--quiet")
    assert execute(command(table, "sick", "logistic", *options)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("attack: label_flip by client-0, client-2, client-7 of 10 clients")
    assert "attackers  found 3 of 3 (label_flip)" in shown
    assert "without --attack shows what the attack cost" in shown


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_where_only_sums_are_seen_nobody_is_found(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("opacus")
    table = mixed(tmp_path / "people.csv", "cost", rows=4000)
    options = ("--privacy", "high", "--epsilon", "8", "--attack", "label_flip:0.3")
    found = result_of(command(table, "cost", "linear", *options), capsys)["attack"]
    assert (found["found"], len(found["attackers"])) == ([], 3)
    assert "nobody can be found" in found["note"]


REFUSED = [
    (("--attack", "magic:0.3"), "sign_flip, gaussian_noise, scaling, label_flip"),
    (("--attack", "sign_flip"), "KIND:FRACTION"),
    (("--attack", "sign_flip:0"), "between 0 and 1"),
    (("--attack", "sign_flip:1"), "between 0 and 1"),
    (("--attack", "sign_flip:nan"), "between 0 and 1"),
    (("--attack", "sign_flip:0.99"), "an honest client"),
    (("--attack", "alie:0.1"), "2 attackers or more"),
    (("--model", "random_forest", "--attack", "alie:0.3"), "label_flip or free_rider"),
    (("--privacy", "high", "--attack", "sign_flip:0.3"), "only their sum is seen"),
]


@pytest.mark.parametrize(("options", "expected"), REFUSED)
def test_what_cannot_be_is_one_line(
    options: tuple[str, ...], expected: str, home: Path, tmp_path: Path, capsys: Any
) -> None:
    table = mixed(tmp_path / "people.csv")
    assert execute(command(table, "sick", "logistic", *options)) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert not (home / "runs").exists()


def test_an_app_takes_no_attack(tmp_path: Path, capsys: Any) -> None:
    assert execute(["run", str(tmp_path), "--attack", "sign_flip:0.3"]) == 2
    assert "--attack needs a CSV file" in capsys.readouterr().err


@pytest.mark.parametrize("kind", sorted(ATTACKS))
def test_every_kind_has_its_place_among_models(kind: str) -> None:
    plan = plan_of(attack=AttackAsked(kind, 0.3))
    check_attack(plan)
    attackers = Attackers(plan=plan, classes=2)
    assert len(attackers.places) == 3
    assert bool(attackers.mods()) == (kind != "label_flip")
    for model in ("linear", "random_forest"):
        allowed = {"label_flip"} | ({"free_rider"} if model == "random_forest" else set())
        if kind not in allowed:
            with pytest.raises(ConfigError, match="--attack takes label_flip"):
                check_attack(plan_of(model, attack=AttackAsked(kind, 0.3)))


def test_flipped_rows_by_hand() -> None:
    plan = plan_of(clients=2, attack=AttackAsked("label_flip", 0.5))
    (liar,) = Attackers(plan=plan, classes=3).places
    x = np.zeros((3, 1), np.float32)
    classes = Table(x, np.array([0, 1, 2]))
    attackers = Attackers(plan=plan, classes=3)
    assert attackers.rows(liar, classes).y.tolist() == [2, 1, 0]
    assert attackers.rows(1 - liar, classes) is classes
    numbers = Table(x, np.array([1.0, 2.0, 5.0]))
    assert Attackers(plan=plan, classes=0).rows(liar, numbers).y.tolist() == [5.0, 4.0, 1.0]


def test_the_seed_draws_the_attackers() -> None:
    asked = AttackAsked("label_flip", 0.3)
    drawn = {asked.places(10, seed=seed) for seed in range(20)}
    assert len(drawn) > 10
    assert asked.places(10, seed=1) == asked.places(10, seed=1)


def test_a_plan_keeps_its_attack(tmp_path: Path) -> None:
    asked = AttackAsked("alie", 0.3)
    plan = plan_of(attack=asked, privacy=PrivacyAsked(level=Level.LOW))
    plan = TabularPlan(**{**vars(plan), "data": tmp_path / "x.csv"})
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan


KILLED = """
import os, signal, sys
from parity_flwr.cli.main import execute
from parity_flwr.app.tabular import federation
judged = []
honest = federation.held_out_metrics
def dying(*arguments):
    judged.append(1)
    if len(judged) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return honest(*arguments)
federation.held_out_metrics = dying
execute(sys.argv[1:])
"""


def test_a_continued_run_keeps_its_attack(tmp_path: Path, home: Path, capsys: Any) -> None:
    table = mixed(tmp_path / "people.csv", rows=1000)
    options = ("--rounds", "4", "--attack", "sign_flip:0.3")
    whole = result_of(command(table, "sick", "logistic", *options), capsys)
    before = set((home / "runs").iterdir())
    arguments = command(table, "sick", "logistic", *options)
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -9
    (folder,) = set((home / "runs").iterdir()) - before
    again = command(table, "sick", "logistic", "--rounds", "4", "--resume", folder.name)
    assert execute([*again, "--attack", "alie:0.3"]) == 2
    assert "the attack that it was started with" in capsys.readouterr().err
    result = result_of(again, capsys)
    assert result["model_hash"] == whole["model_hash"]
    assert result["attack"] == whole["attack"]


@pytest.mark.slow
@needs_proc
def test_a_simulation_has_the_same_attackers(tmp_path: Path, capsys: Any) -> None:
    table = mixed(tmp_path / "people.csv", rows=1000)
    options = ("--rounds", "3", "--attack", "sign_flip:0.3")
    here = result_of(command(table, "sick", "logistic", *options), capsys)
    simulated = result_of(
        command(table, "sick", "logistic", *options, "--engine", "simulation"), capsys
    )
    assert simulated["attack"] == here["attack"]
    assert simulated["metrics"] == pytest.approx(here["metrics"], rel=1e-6)
