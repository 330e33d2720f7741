"""Rewards, claims, stakes, events: what members do on the chain of a run."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps_made import make_app
from parity_flwr.app.chains.event_stream import follow_events, run_events
from parity_flwr.app.chains.run_desk import RunDesk
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.verification.verify import verify
from parity_flwr.chain_bridge.calls import encode_call
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.membership import approve_intent, deposit_intent
from parity_flwr.cli.main import execute
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.amounts import UNIT

pytest.importorskip("eth")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a run of two rounds on the embedded chain."""
    path = tmp_path_factory.mktemp("members")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARITY_HOME", str(path))
        options = ["--engine", "inprocess", "--clients", "4", "--chain", "embedded", "--quiet"]
        assert execute(["run", str(make_app(path / "app")), *options]) == 0
    return path


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITY_HOME", str(home))


@pytest.fixture
def run(home: Path) -> RunFolder:
    (found,) = all_runs(home)
    return found


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """Run a command; return the one JSON object on stdout."""
    capsys.readouterr()
    assert execute([*arguments, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def client(found: Any, name: str) -> Any:
    return next(each for each in found["clients"] if each["identity"] == name)


def test_from_reward_to_stake_and_back(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json_of(capsys, "rewards", "latest")
    assert before["round"] == 2
    total = sum(Decimal(each["earned"]) for each in before["clients"])
    assert total + Decimal(before["carried"]) == 2 * 1000
    mine = client(before, "client-1")
    assert mine["earned"] == mine["claimable"]
    assert mine["claimed"] == "0"

    paid = json_of(capsys, "claim", "latest", "--identity", "client-1")
    assert paid["paid"] == paid["balance"] == mine["earned"]
    assert paid["gas"] < 120_000
    after = client(json_of(capsys, "rewards", "latest"), "client-1")
    assert (after["claimable"], after["claimed"]) == ("0", mine["earned"])
    again = json_of(capsys, "claim", "latest", "--identity", "client-1", code=2)
    assert "tokens up to round" in again["error"]["got"]

    staked = json_of(capsys, "stake", "latest", "2.5", "--identity", "client-1")
    assert staked["stake"] == "2.5"
    assert Decimal(staked["balance"]) == Decimal(mine["earned"]) - Decimal("2.5")
    out = json_of(capsys, "unstake", "latest", "1", "--identity", "client-1")
    assert (out["stake"], out["unbonding"]) == ("1.5", "1")
    early = json_of(capsys, "unstake", "latest", "--withdraw", "--identity", "client-1", code=3)
    assert "TooEarly" in early["error"]["got"]

    standing = client(
        json_of(capsys, "reputation", "latest", "--chain", "embedded"), "client-1"
    )
    assert (standing["stake"], standing["status"]) == ("1.5", "active")
    names = [each["event"] for each in json_of(capsys, "events", "latest")["events"]]
    assert names.count("RoundRecorded") == 2
    assert {"Registered", "Claimed", "Deposited", "UnbondingStarted"} <= set(names)
    for words in (["rewards"], ["events"], ["reputation", "--chain", "embedded"]):
        assert execute([words[0], "latest", *words[1:]]) == 0
        assert "client-1" in capsys.readouterr().out or words == ["events"]
    # What members do later is no part of the run: it still verifies.
    assert verify(run).ok


@pytest.mark.slow
def test_an_offence_is_slashed_once_with_its_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path))
    options = ["--engine", "inprocess", "--clients", "4", "--chain", "embedded", "--quiet"]
    more = ["--run-config", "rounds=4"]
    assert execute(["run", str(make_app(tmp_path / "app")), *options, *more]) == 0
    (run,) = all_runs(tmp_path)
    seen = json_of(capsys, "slash", "latest")
    (offence,) = seen["offences"]  # client-0 sent NaN three times in a row
    assert (offence["identity"], offence["kind"], offence["round"]) == (
        "client-0", "repeated", 3,
    )  # fmt: skip
    assert (offence["staked"], offence["slashed"], seen["sent"]) == ("0", None, 0)

    stake_for(run, "client-0", 1000 * UNIT)
    assert json_of(capsys, "slash", "latest", "--dry-run")["sent"] == 0
    done = json_of(capsys, "slash", "latest")
    assert done["sent"] == 1
    # P-32: the deployment's base 100, severity 0.02, factor 1.5 - R/1000 before the round.
    record = open_journal(run).rounds()[1]
    before = record.state.standings["client-0"].composite
    due = 100 * 0.02 * (1.5 - before / 1000)
    assert float(done["offences"][0]["slashed"]) == pytest.approx(due, rel=1e-6)
    (block,) = run.content.glob(f"*/{offence['evidence']}")
    assert json.loads(block.read_bytes())["identity"] == "client-0"
    assert json_of(capsys, "slash", "latest")["sent"] == 0
    assert execute(["slash", "latest"]) == 0
    assert "repeated" in capsys.readouterr().out
    assert verify(run).ok


def stake_for(run: RunFolder, name: str, amount: int) -> None:
    """Put tokens of the owner at stake for an identity."""
    desk = RunDesk(run, "embedded", Environment.read())
    made = desk.deployment
    with desk.sending(wallet=None, identity=None, owner=True) as owner:
        (member,) = (
            leaf.member for leaf in desk.scores(4, cid=b"").tree.leaves if leaf.name == name
        )
        mint = encode_call(artifact("ParityToken"), "mint", (made.owner, amount))
        owner.send(Intent(key="mint", to=made.token, data=mint))
        owner.send(approve_intent(made.registry, amount=amount, deployment=made, key="spend"))
        owner.send(deposit_intent(member, amount=amount, deployment=made, key="deposit"))


def test_events_are_followed_and_each_is_shown_once(run: RunFolder) -> None:
    desk = RunDesk(run, "embedded", Environment.read())
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(str(event) for event in follow_events(desk, sleep=sleep))
    assert len(seen) == len(set(seen)) == len(run_events(desk)) > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claim", "latest"], "--identity needs one"),
        (["claim", "latest", "--identity", "nobody"], "choose among: client-0"),
        (["stake", "latest", "x", "--identity", "client-1"], "TOKENS needs a number"),
        (["unstake", "latest"], "needs TOKENS or --withdraw"),
        (["rewards", "latest", "--chain", "http://127.0.0.1:9"], "the chain that was named"),
        (["events", "nothing"], "a run needs to be one of those"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
