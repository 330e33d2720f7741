"""verify adds the charges of run and clients up again, and names what does not add up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dp_federation import promise
from dp_federation import run as play
from journal_tampering import edit, execute, failures, query, rehash
from parity_flwr.app.conformance import honest_app
from parity_flwr.app.journal import SqlJournal, open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.cli.main import execute as command_line
from parity_flwr.core.privacy.accounting import Release, spent_epsilon
from parity_flwr.core.privacy.ledger import EVERYONE, Charge, Spending, spent_by_client
from private_tables import command, people

Body = dict[str, Any]
NAME = "privacy ledger"


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a run of two rounds under central DP, not to be changed."""
    folder = RunFolder(tmp_path_factory.mktemp("central") / "run").make()
    journal = SqlJournal(folder.journal_url, "run", folder)
    play(promise(), honest_app(), rounds=2, journal=journal)
    return folder


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a run whose clients add the noise, not to be changed."""
    pytest.importorskip("pyarrow")
    base = tmp_path_factory.mktemp("clients")
    table = people(base / "people.csv", rare=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARITY_HOME", str(base / "home"))
        assert command_line(command(table, "cost", "linear", "--privacy", "low")) == 0
    (folder,) = (base / "home" / "runs").iterdir()
    return RunFolder(folder)


@pytest.fixture(params=["central", "clients"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> RunFolder:
    """Return a copy of either, to be changed."""
    made: RunFolder = request.getfixturevalue(request.param)
    shutil.copytree(made.path, tmp_path / made.path.name)
    return RunFolder(tmp_path / made.path.name)


def rewrite(run: RunFolder, sequence: int, change: Callable[[Body], None]) -> None:
    """Change one entry's body and make the chain consistent again."""
    (found,) = query(run, f"SELECT body FROM entries WHERE sequence = {sequence}")
    body = json.loads(str(found[0]))
    change(body)
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    execute(run, "UPDATE entries SET body = ? WHERE sequence = ?", text, sequence)
    rehash(run)


def sequences(run: RunFolder, kind: str) -> list[int]:
    found = query(run, f"SELECT sequence FROM entries WHERE kind = '{kind}' ORDER BY sequence")
    return [int(str(each[0])) for each in found]


def test_what_was_written_adds_up(run: RunFolder) -> None:
    lines = {each.name: each for each in verify(run).lines}
    assert verify(run).ok
    assert lines[NAME].ok
    charges = open_journal(run).charges()
    assert lines[NAME].detail.startswith(f"{len(charges)} charges")
    assert ", epsilon " in lines[NAME].detail
    (sequence,) = sequences(run, "spending")
    ((body,),) = query(run, f"SELECT body FROM entries WHERE sequence = {sequence}")
    stated = json.loads(str(body))
    for name, epsilon in stated["clients"].items():
        own = [each.as_release() for each in charges if each.client == name]
        assert epsilon == pytest.approx(spent_epsilon(own, delta=stated["delta"]))
    names = {each.client for each in charges}
    assert set(stated["clients"]) == names
    assert (names == {EVERYONE}) == (len(names) == 1)


def less_noise(body: Body) -> None:
    body["noise_multiplier"] *= 1.001


def another_round(body: Body) -> None:
    body["round"] = 99


def another_run(body: Body) -> None:
    body["run"] = "another"


def sampled(body: Body) -> None:
    body["sampling"] = 0.5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (less_noise, "the charges add up to"),
        (sampled, "the charges add up to"),
        (another_round, "was released uncharged"),
        (another_run, "charges another run"),
    ],
)
def test_a_tampered_charge_is_named(
    run: RunFolder, change: Callable[[Body], None], said: str
) -> None:
    rewrite(run, sequences(run, "charge")[-1], change)
    assert said in failures(verify(run))[NAME]


def test_a_missing_charge_is_named(run: RunFolder) -> None:
    execute(run, "DELETE FROM entries WHERE sequence = ?", sequences(run, "charge")[-1])
    rehash(run)
    assert "was released uncharged" in failures(verify(run))[NAME]


def test_a_charge_made_twice_is_named(run: RunFolder) -> None:
    first, second = sequences(run, "charge")[:2]
    ((body,),) = query(run, f"SELECT body FROM entries WHERE sequence = {first}")
    execute(run, "UPDATE entries SET body = ? WHERE sequence = ?", body, second)
    rehash(run)
    assert "charges a release again" in failures(verify(run))[NAME]


def understated(body: Body) -> None:
    name = sorted(body["clients"])[0]
    body["clients"][name] *= 0.999


def without_one(body: Body) -> None:
    body["clients"].pop(sorted(body["clients"])[0])


def with_one_more(body: Body) -> None:
    body["clients"]["client-99"] = 0.1


def at_another_delta(body: Body) -> None:
    body["delta"] *= 2


@pytest.mark.parametrize("change", [understated, without_one, with_one_more, at_another_delta])
def test_a_statement_that_does_not_add_up_is_named(
    run: RunFolder, change: Callable[[Body], None]
) -> None:
    edit(run, "spending", change)
    assert "the statement after round" in failures(verify(run))[NAME]


def test_a_run_that_ended_must_have_stated(run: RunFolder) -> None:
    (sequence,) = sequences(run, "spending")
    execute(run, "DELETE FROM entries WHERE sequence = ?", sequence)
    rehash(run)
    assert "without stating what was spent" in failures(verify(run))[NAME]


def test_a_smaller_promise_than_was_kept_is_named(run: RunFolder) -> None:
    def smaller(body: Body) -> None:
        for settings in body["config"].values():
            if isinstance(settings, dict) and "epsilon" in settings:
                settings["epsilon"] = 1.0

    edit(run, "header", smaller)
    assert "was spent of 1" in failures(verify(run))[NAME]


def test_charge_and_statement_changed_together_fail_against_the_header(
    central: RunFolder, tmp_path: Path
) -> None:
    shutil.copytree(central.path, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    for sequence in sequences(run, "charge"):
        rewrite(run, sequence, lambda body: body.update(noise_multiplier=40.0))
    spent = spent_epsilon([Release(noise_multiplier=40.0, count=2)], delta=1e-3)
    edit(run, "spending", lambda body: body["clients"].update({EVERYONE: spent}))
    assert "was charged for noise 40, the header says" in failures(verify(run))[NAME]


def test_a_clients_charge_is_not_another_ones(clients: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(clients.path, tmp_path / clients.path.name)
    run = RunFolder(tmp_path / clients.path.name)
    rewrite(run, sequences(run, "charge")[-1], lambda body: body.update(client="client-99"))
    said = failures(verify(run))[NAME]
    assert "sent was released uncharged" in said


def test_charges_of_everyone_count_for_each_client() -> None:
    charges = [
        Charge(run="r", round=1, noise_multiplier=3.0),
        Charge(run="r", round=1, client="a", noise_multiplier=4.0),
        Charge(run="r", round=2, client="b", noise_multiplier=4.0),
    ]
    spent = spent_by_client(charges, delta=1e-5)
    both = [Release(noise_multiplier=3.0), Release(noise_multiplier=4.0)]
    assert spent[EVERYONE] == spent_epsilon(both[:1], delta=1e-5)
    assert spent["a"] == spent["b"] == spent_epsilon(both, delta=1e-5)
    assert spent_by_client([], delta=1e-5) == {}
    assert Spending(round=1, delta=1e-5, clients=spent).clients == spent
