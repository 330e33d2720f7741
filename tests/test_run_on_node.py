"""Runs on a real node: members, an anchor, a node that goes away, a process that is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from anvil_node import FUNDED, Anvil
from apps_made import make_app
from faulty_proxy import FaultyProxy
from parity_flwr.app.chains import publishing
from parity_flwr.app.chains.evidence import gather
from parity_flwr.app.chains.members_file import consent, write_members
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs import running
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.cli.main import execute
from parity_flwr.core.signatures import Ed25519Signer

pytest.importorskip("eth_account")
pytestmark = pytest.mark.slow

ANVILS_ID = 31337
LATER = 4_000_000_000


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_app(tmp_path / "app")


def home(tmp_path: Path) -> Path:
    return tmp_path / "parity-home"


def deploy(anvil: Anvil, tmp_path: Path) -> Deployment:
    """Deploy as a user does."""
    assert execute(["chain", "deploy", "--chain", anvil.url, "--delay", "0"]) == 0
    found = ChainPlaces(home(tmp_path)).load(ANVILS_ID)
    assert found is not None
    return found


def run(app: Path, url: str, *options: str) -> int:
    arguments = ["--engine", "inprocess", "--clients", "4", "--quiet", "--chain", url]
    return execute(["run", str(app), *arguments, *options])


def the_run(tmp_path: Path) -> RunFolder:
    (found,) = all_runs(home(tmp_path))
    return found


def recorded(anvil: Anvil, deployment: Deployment) -> list[int]:
    """Return the rounds that the ledger holds, in order."""
    logs = gather(anvil.chain(), deployment)
    events = [decode_event(artifact("RoundLedger"), "RoundRecorded", log) for log in logs]
    return [event["round"] for event in events if event is not None]


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert execute([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_from_consents_to_a_claim_and_an_anchor(
    anvil: Anvil, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = deploy(anvil, tmp_path)
    wallets = {f"client-{k}": Wallet.generate() for k in range(4)}
    consents = [
        consent(
            name,
            wallet=wallet,
            signer=Ed25519Signer.generate(),
            deployment=deployment,
            deadline=LATER,
        )
        for name, wallet in wallets.items()
    ]
    members = tmp_path / "members.json"
    members.write_text(write_members(consents[:3]))  # client-3 never consented
    assert run(app, anvil.url, "--members", str(members)) == 0
    assert recorded(anvil, deployment) == [1, 2]
    anchored = ["verify", "latest", "--chain", anvil.url, "--trust", deployment.ledger]
    found = json_of(capsys, *anchored)
    lines = {line["name"]: line for line in found["lines"]}
    assert lines["members"]["detail"].startswith("3 are registered")
    assert lines["trust anchor"]["ok"]
    assert json_of(capsys, "verify", "latest")["lines"][-1]["ok"] is None
    json_of(capsys, "verify", "latest", "--chain", anvil.url, "--trust", WRONG, code=1)

    bundle = tmp_path / "run.parity"
    assert execute(["bundle", "latest", "--output", str(bundle), "--chain", anvil.url]) == 0
    found = json_of(capsys, "verify", "--bundle", str(bundle), *anchored[2:])
    assert found["anchored"]

    paid = json_of(capsys, "claim", "latest", "--identity", "client-2", "--chain", anvil.url)
    assert paid["account"] == wallets["client-2"].address
    listed = json_of(capsys, "rewards", "latest", "--chain", anvil.url)["clients"]
    of = {each["identity"]: each for each in listed}
    assert of["client-2"]["claimed"] == of["client-2"]["earned"] == paid["paid"]
    assert of["client-3"]["account"] is None  # it earned, and waits for its registration
    assert of["client-3"]["claimable"] == "0"


WRONG = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_a_ledger_holds_one_run(
    anvil: Anvil, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(app, anvil.url) == 2
    assert "parity chain deploy --chain" in capsys.readouterr().err
    deploy(anvil, tmp_path)
    assert run(app, anvil.url, "--run-config", "rounds=1") == 0
    assert run(app, anvil.url) == 2
    assert "a ledger of its own" in capsys.readouterr().err
    assert execute(["chain", "deploy", "--force", "--chain", anvil.url]) == 0
    assert run(app, anvil.url, "--run-config", "rounds=1") == 0
    assert [open_journal(each).status().status for each in all_runs(home(tmp_path))] == [
        "completed",
        "completed",
    ]


def test_another_key_or_chain_does_not_start(
    anvil: Anvil,
    app: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = deploy(anvil, tmp_path)
    monkeypatch.setenv("PARITY_CHAIN_KEY", "7a" * 32)
    assert run(app, anvil.url) == 2
    assert "which deployed" in capsys.readouterr().err
    places = ChainPlaces(home(tmp_path))
    with Anvil(anvil_program(anvil), "--chain-id", "77") as other:
        wrong = made.to_json().replace("31337", "77")
        places.deployment(77).write_text(wrong)
        assert run(app, other.url) != 0
        assert all_runs(home(tmp_path)) == []


def anvil_program(anvil: Anvil) -> Path:
    return anvil._program


class Away(publishing.Publishing):
    """A node that goes away once a run has begun; the end waits for it a moment only."""

    proxy: FaultyProxy

    def __enter__(self) -> Away:
        super().__enter__()
        self.proxy.down = True
        return self

    def finish(self, *, timeout_s: float) -> bool:
        return super().finish(timeout_s=min(timeout_s, 0.2))


def test_a_node_that_is_away_delays_nobody_and_the_queue_drains_later(
    anvil: Anvil,
    app: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = deploy(anvil, tmp_path)
    began = time.monotonic()
    assert execute(["run", str(app), "--engine", "inprocess", "--clients", "4"]) == 0
    alone = time.monotonic() - began
    with FaultyProxy(anvil.url, share=0.0, seed=0) as proxy:
        monkeypatch.setattr(Away, "proxy", proxy, raising=False)
        monkeypatch.setattr(running, "Publishing", Away)
        began = time.monotonic()
        assert run(app, proxy.url, "--run-config", "rounds=6") == 0
        assert time.monotonic() - began < alone + 6 * 1.0
        assert recorded(anvil, deployment) == []
        capsys.readouterr()
        assert (
            execute(["chain", "drain", "latest", "--chain", proxy.url, "--timeout", "1"]) == 3
        )
        assert "parity" not in capsys.readouterr().out
        proxy.down = False
        found = json_of(capsys, "chain", "drain", "latest", "--chain", proxy.url)
        assert (found["waiting"], found["trouble"]) == (0, "")
    assert recorded(anvil, deployment) == list(range(1, 7))
    assert json_of(capsys, "verify", "latest", "--chain", anvil.url)["verify"] == "ok"


@pytest.mark.parametrize("wait_for", [1, 10])
def test_a_killed_run_is_resumed_and_every_round_is_on_chain_once(
    anvil: Anvil, app: Path, tmp_path: Path, wait_for: int
) -> None:
    deployment = deploy(anvil, tmp_path)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "parity_flwr.cli.main", "run", str(app)),
            *("--engine", "inprocess", "--clients", "4", "--quiet"),
            *("--chain", anvil.url, "--run-config", "rounds=60"),
        ],
        env={**os.environ, "PARITY_HOME": str(home(tmp_path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while len(recorded(anvil, deployment)) < wait_for:
            assert time.monotonic() < deadline
            assert process.poll() is None
            threading.Event().wait(0.05)  # leave it a core
    finally:
        process.kill()
        process.wait()
    if open_journal(the_run(tmp_path)).status().status == "completed":
        assert execute(["chain", "drain", "latest", "--chain", anvil.url]) == 0
    else:
        assert run(app, anvil.url, "--resume", "latest", "--run-config", "rounds=60") == 0
    assert recorded(anvil, deployment) == list(range(1, 61))
    assert execute(["verify", "latest", "--chain", anvil.url]) == 0
