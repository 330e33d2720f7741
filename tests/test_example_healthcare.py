"""The healthcare example: its data, its hospitals, and short runs of it."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity_flwr.app.engines.processes import flower_variables, program
from parity_flwr.app.engines.superlink import private_superlink, write_connection
from parity_flwr.app.runs.folder import all_runs
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError, DataError

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("opacus")
pytest.importorskip("dp_accounting")
pytestmark = pytest.mark.repository

_PARTS = ("patients", "hospitals", "support2", "task", "study")


@pytest.fixture
def app(repository: Path) -> Path:
    return repository / "examples" / "healthcare"


@pytest.fixture
def parts(app: Path) -> Iterator[Any]:
    """Import the example's modules for one test."""
    sys.path.insert(0, str(app))
    try:
        names = {each: importlib.import_module(f"parity_healthcare.{each}") for each in _PARTS}
        yield SimpleNamespace(**names)
    finally:
        sys.path.remove(str(app))
        for name in [each for each in sys.modules if each.startswith("parity_healthcare")]:
            del sys.modules[name]


def made_support2(parts: Any, path: Path, rows: int = 400) -> Path:
    """Write a table with SUPPORT2's columns, in which age and the group decide."""
    rng = np.random.default_rng(0)
    known, levels = parts.support2.NUMBERS, parts.support2.CATEGORIES
    columns = [*known, *levels, *parts.support2.LEAKS, *parts.support2.UNUSED, "hospdead"]
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in range(rows):
            age = float(rng.uniform(20, 95))
            dead = int(rng.random() < (age - 20) / 75)
            values = {name: rng.uniform(*known[name]) for name in known} | {"age": age}
            values |= {name: each[row % len(each)] for name, each in levels.items()}
            leaks = dict.fromkeys(parts.support2.LEAKS, dead)
            unused = dict.fromkeys(parts.support2.UNUSED, row)
            writer.writerow({**values, **leaks, **unused, "hospdead": dead, "alb": ""})
    return path


def results(home: Path) -> dict[str, Any]:
    (folder,) = all_runs(home)
    assert (folder.path / "benefit.png").read_bytes().startswith(b"\x89PNG")
    found: dict[str, Any] = json.loads((folder.path / "results.json").read_text())
    return found


def check(found: dict[str, Any], *, epsilon: float) -> None:
    """Check what must be true of every run with the shipped settings."""
    assert found["flagged"] == found["liars"] != []
    assert len(found["spent"]) == 10
    assert 0.99 * epsilon < max(found["spent"].values()) <= epsilon
    assert found["benefit"]["gain"] > 0
    assert 0 <= found["benefit"]["calibration"]["error"] < 0.3
    assert sum(each["honest"] for each in found["benefit"]["gains"]) == 9


class TestPatients:
    def test_breast_cancer_is_encoded_with_published_ranges(self, parts: Any) -> None:
        patients = parts.patients.breast_cancer()
        assert patients.x.shape == (569, 24)
        assert patients.y.sum() == 212  # malignant, as the data set's description says
        assert not any("radius" in each for each in patients.features)
        measured, groups = patients.x[:, :21], patients.x[:, 21:]
        assert measured.min() >= -1 - parts.patients.TYPICAL - 1e-6
        assert measured.max() <= 1 - parts.patients.TYPICAL + 1e-6
        assert (groups.sum(axis=1) == parts.patients.GROUP_WEIGHT).all()

    def test_a_description_without_ranges_is_refused(self, parts: Any) -> None:
        with pytest.raises(DataError, match="0 rows"):
            parts.patients.published_ranges("nothing")

    def test_scales_by_hand(self, parts: Any) -> None:
        scaled = parts.patients.scaled
        values = np.array([-5.0, 0.0, 5.0, 10.0, 99.0])
        assert scaled(values, 0.0, 10.0).tolist() == [-1, -1, 0, 1, 1]
        ends = scaled(values, 0.0, 10.0, log=True)
        # log(5 + 0.1) between log(0.1) and log(10.1)
        middle = 2 * np.log(51) / np.log(101) - 1
        assert ends == pytest.approx([-1, -1, middle, 1, 1])


class TestSupport2:
    def test_no_column_that_knows_the_outcome_predicts(
        self, parts: Any, tmp_path: Path
    ) -> None:
        pytest.importorskip("pyarrow")
        patients = parts.support2.support2(made_support2(parts, tmp_path / "s.csv.gz"))
        used = {each.partition(" ")[0] for each in patients.features}
        assert not used & (set(parts.support2.LEAKS) | set(parts.support2.UNUSED))
        assert "hospdead" not in used
        outcome = patients.y - patients.y.mean()
        for column in patients.x.T:  # a leak equals the outcome
            assert abs(np.corrcoef(column, outcome)[0, 1]) < 0.95 if column.std() else True

    def test_a_missing_value_is_a_normal_one(self, parts: Any, tmp_path: Path) -> None:
        pytest.importorskip("pyarrow")
        patients = parts.support2.support2(made_support2(parts, tmp_path / "s.csv.gz"))
        at = patients.features.index("alb")
        assert np.abs(patients.x[:, at]).max() == 0
        assert (patients.x[:, patients.features.index("alb is missing")] == 1).all()

    def test_another_table_is_refused_in_one_line(
        self, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("pyarrow")
        file = tmp_path / "other.csv"
        file.write_text("a,b\n1,2\n")
        assert execute(["run", str(app), "--engine", "inprocess", "--data", str(file)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert "the example needs SUPPORT2" in lines[0]

    def test_the_real_one_has_every_column_decided(self, parts: Any, shared_data: Path) -> None:
        csv_module = pytest.importorskip("pyarrow.csv")
        table = csv_module.read_csv(shared_data / "support2.csv.gz")
        support2 = parts.support2
        decided = {*support2.NUMBERS, *support2.CATEGORIES, *support2.LEAKS, *support2.UNUSED}
        assert set(table.column_names) == decided | {"hospdead"}
        patients = support2.support2(shared_data / "support2.csv.gz")
        assert patients.x.shape[0] == 9105
        assert patients.y.sum() == 2360


class TestHospitals:
    def test_every_patient_is_in_one_place(self, parts: Any) -> None:
        patients = parts.patients.breast_cancer()
        hospitals = parts.hospitals.divide(patients, hospitals=10, seed=3)
        rows = np.concatenate([part for each in hospitals for part in (each.train, each.test)])
        assert sorted(rows) == list(range(569))
        for each in hospitals:
            assert len(set(patients.groups[each.train])) == 1

    def test_the_largest_group_gets_the_next_hospital(self, parts: Any) -> None:
        patients = parts.patients.breast_cancer()
        names = [each.name for each in parts.hospitals.divide(patients, hospitals=4, seed=0)]
        # 215 small, 180 medium, 174 large: the fourth halves the small ones
        assert names == ["large lumps", "medium lumps", "small lumps 1", "small lumps 2"]

    @pytest.mark.parametrize(("count", "said"), [(2, "3 groups"), (100, "10 patients each")])
    def test_too_few_or_too_many_are_refused(self, parts: Any, count: int, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            parts.hospitals.divide(parts.patients.breast_cancer(), hospitals=count, seed=0)


def test_a_hospital_of_one_class_predicts_its_share(parts: Any) -> None:
    from parity_flwr.clients import Table

    table = Table(np.zeros((4, 2)), np.ones(4, np.int64))
    assert parts.study.own_model(table)(np.zeros((3, 2))).tolist() == [1, 1, 1]


@pytest.mark.slow
def test_one_command_keeps_its_promises(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", str(app), "--engine", "inprocess", "--quiet"]) == 0
    found = results(tmp_path / "parity-home")
    check(found, epsilon=3.0)
    assert found["benefit"]["gain"] > 0.02
    printed = capsys.readouterr().out
    assert "excluded:       medium lumps 2" in printed
    assert "privacy: epsilon 3.000 of 3 spent, delta 0.001" in printed


@pytest.mark.slow
def test_another_number_of_nodes_says_what_to_do(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--engine", "inprocess", "--clients", "12", "--run-config"]
    assert execute(["run", str(app), *options, "hospitals=10 num-server-rounds=1"]) != 0
    logs = (tmp_path / "parity-home").rglob("flower.log")
    assert any("set hospitals=12" in each.read_text() for each in logs)


@pytest.mark.slow
def test_support2_keeps_its_promises(app: Path, tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("pyarrow")
    file = str(shared_data / "support2.csv.gz")
    assert execute(["run", str(app), "--engine", "inprocess", "--quiet", "--data", file]) == 0
    found = results(tmp_path / "parity-home")
    check(found, epsilon=3.0)
    assert found["benefit"]["gain"] > 0.01


@pytest.mark.slow
def test_plain_flower_runs_it_too(app: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    scratch = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # a socket's path is short
    flower = tmp_path / "flower"
    variables = flower_variables(
        flower, PARITY_HOME=str(tmp_path / "parity-home"), RAY_TMPDIR=str(scratch)
    )
    place = tmp_path / "link"
    with private_superlink(
        place, variables=variables, simulation=True, scratch=scratch
    ) as link:
        write_connection(flower, link.address, insecure=True)
        size = "num-supernodes=10 client-resources-num-cpus=1"
        command = [program("flwr", variables), "run", str(app), "--stream"]
        subprocess.run(
            [*command, "--federation-config", size],
            env=variables,
            check=True,
            timeout=600,
            capture_output=True,
        )
    check(results(tmp_path / "parity-home"), epsilon=3.0)
