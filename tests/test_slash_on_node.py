"""`parity slash` against a node: the offence's member loses what P-32 says, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anvil_node import FUNDED
from apps_made import make_app
from parity_flwr.app.chains.run_desk import RunDesk
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import all_runs
from parity_flwr.cli.main import execute
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.core.economy.offences import SlashConfig
from stake_cases import Federation, as_member, node_of

pytest.importorskip("eth")
pytestmark = pytest.mark.slow


@pytest.fixture(params=["embedded", "anvil"])
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Federation]:
    """Return a federation of a client that sends NaN and an honest one, both with stakes."""
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)
    with node_of(request.param) as (node, url):
        members = tmp_path / "members.json"
        found = Federation(node, url, tmp_path / "parity-home", members)
        found.deploy("client-0", "client-1")
        assert execute(["chain", "register", str(members), "--chain", url]) == 0
        found.stake(monkeypatch, "client-0", "1000")
        found.stake(monkeypatch, "client-1", "1000")
        yield found


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert execute([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_an_offence_is_slashed_once_on_a_node(
    made: Federation,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app(tmp_path / "app")
    options = ["--engine", "inprocess", "--clients", "4", "--run-config", "rounds=4", "--quiet"]
    where = ["--chain", made.url]
    members = ["--members", str(made.members)]
    assert execute(["run", str(app), *options, *where, *members]) == 0
    seen = json_of(capsys, "slash", "latest", *where, "--dry-run")
    (offence,) = seen["offences"]  # client-0 sent NaN three times in a row
    assert (offence["identity"], offence["kind"], offence["round"]) == (
        "client-0",
        "repeated",
        3,
    )
    assert (offence["staked"], offence["slashed"], seen["sent"]) == ("1000", None, 0)

    read = reads(monkeypatch)
    with as_member(monkeypatch, made.wallets["client-1"]):
        refused = json_of(capsys, "slash", "latest", *where, code=3)
    assert "NotSlasher" in refused["error"]["got"]

    assert read == [4, 2]  # who is a member, and the reputation before; not all four
    done = json_of(capsys, "slash", "latest", *where)
    assert done["sent"] == 1
    assert read == [4, 2, 4]  # anybody may bring a reputation on chain: it was there
    (run,) = all_runs(made.home)
    before = open_journal(run).rounds()[1].state.standings["client-0"].composite
    due = 100 * SlashConfig().repeated / 1e6 * (1.5 - before / 1000)  # P-32
    assert float(done["offences"][0]["slashed"]) == pytest.approx(due, rel=1e-6)
    standings = json_of(capsys, "reputation", "latest", *where)["clients"]
    staked = {each["identity"]: float(each["stake"]) for each in standings}
    assert staked == {"client-0": pytest.approx(1000 - due), "client-1": 1000.0}
    assert json_of(capsys, "slash", "latest", *where)["sent"] == 0
    assert json_of(capsys, "verify", "latest", *where)["verify"] == "ok"


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the rounds whose score lists are read from now on."""
    found: list[int] = []
    real = RunDesk.scores

    def scores(desk: RunDesk, number: int, *, cid: bytes) -> ScoreList:
        found.append(number)
        return real(desk, number, cid=cid)

    monkeypatch.setattr(RunDesk, "scores", scores)
    return found
