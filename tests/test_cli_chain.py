"""parity chain and parity wallet on the embedded chain and on a real node."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from anvil_node import FUNDED, ROOT, Anvil, find_anvil, free_port
from chain_cases import PAYEE, WALLET, payment, sql_outbox
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.chain_bridge.evm import CHAIN_ID
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.cli.main import execute
from parity_flwr.core.anchoring import OutboxState
from parity_flwr.errors import NodeError

ADDRESS = "0x00000000000000000000000000000000000000AA"


def json_of(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int = 0) -> Any:
    """Run a command; return the one JSON object on stdout."""
    assert execute([*arguments, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_deploy_and_status_on_the_embedded_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json_of(capsys, ["chain", "status"])
    assert before["chain_id"] == CHAIN_ID
    assert before["deployment"] is None
    made = json_of(capsys, ["chain", "deploy", "--pool", "12.5", "--delay", "0"])
    assert made["pool"] == str(125 * 10**17)
    status = json_of(capsys, ["chain", "status"])["deployment"]
    assert status["ledger"] == made["ledger"]
    assert status["next_round"] == 1
    places = ChainPlaces(tmp_path / "parity-home")
    loaded = places.load(CHAIN_ID)
    assert loaded is not None
    assert loaded.registry == made["registry"]
    refused = json_of(capsys, ["chain", "deploy"], code=2)
    assert "--force" in refused["error"]["action"]
    assert execute(["chain", "status"]) == 0
    assert made["token"] in capsys.readouterr().out


def test_coins_arrive(capsys: pytest.CaptureFixture[str]) -> None:
    sent = json_of(capsys, ["chain", "fund", ADDRESS, "0.5"])
    assert sent["balance_wei"] == str(5 * 10**17)
    assert len(sent["transaction"]) == 66


@pytest.mark.parametrize(
    "arguments",
    [
        ["chain", "fund", "0xzz"],
        ["chain", "fund", "0x00000000000000000000000000000000000000aA"],
        ["chain", "fund", ADDRESS, "-1"],
        ["chain", "fund", ADDRESS, "nan"],
        ["chain", "fund", ADDRESS, "0.0000000000000000001"],
        ["chain", "status", "--chain", "nowhere"],
        ["chain", "deploy", "--wallet", "../../etc/passwd"],
        ["chain", "deploy", "--wallet", "absent"],
        ["wallet", "new", "a/b"],
        ["wallet", "show", "absent"],
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_WALLET_PASSWORD", "hunter2")
    assert execute(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert "hunter2" not in error


def test_a_wallet_pays_on_a_real_node(
    anvil: Anvil,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARITY_WALLET_PASSWORD", "correct horse")
    made = json_of(capsys, ["wallet", "new", "publisher"])
    assert json_of(capsys, ["wallet", "show", "publisher"])["address"] == made["address"]
    again = json_of(capsys, ["wallet", "new", "publisher"], code=2)
    assert "another name" in again["error"]["action"]
    anvil.fund(made["address"], 10**19)
    options = ["--chain", anvil.url, "--wallet", "publisher"]
    deployed = json_of(capsys, ["chain", "deploy", *options])
    assert deployed["owner"] == made["address"]
    assert deployed["chain_id"] == 31337
    written = "".join(
        path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    )
    assert "correct horse" not in written


def test_a_key_from_the_environment_is_used_and_never_shown(
    anvil: Anvil, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)
    assert execute(["chain", "fund", WALLET.address, "2", "--chain", anvil.url]) == 0
    shown = capsys.readouterr()
    assert FUNDED not in shown.out + shown.err
    assert anvil.chain().balance(WALLET.address) == 2 * 10**18


def test_an_account_without_coins_is_one_line_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)  # it has none on the embedded chain
    assert execute(["chain", "deploy"]) == 2
    assert "needs coins for gas" in capsys.readouterr().err


def test_a_known_key_is_refused_off_this_machine(
    anvil: Anvil, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)
    anvil.chain().request("anvil_setChainId", 1)
    assert execute(["chain", "fund", PAYEE, "2", "--chain", anvil.url]) == 2
    shown = capsys.readouterr()
    assert "well-known test key" in shown.err
    assert FUNDED not in shown.out + shown.err


@pytest.mark.parametrize("kind", ["anvil", "embedded"])
def test_a_chain_of_ones_own_keeps_its_state(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "anvil" and find_anvil() is None:
        pytest.skip("needs anvil: npm install --no-save @foundry-rs/anvil@1.7.1")
    balances: list[int] = []
    for _ in range(2):
        with up(kind) as url:
            chain = JsonRpcChain(url)
            wait_for(chain)
            if kind == "anvil":
                chain.request("anvil_setBalance", PAYEE, hex(len(balances) + 7))
            balances.append(chain.balance(PAYEE))
            assert chain.block("latest") is not None
    if kind == "embedded":
        assert json_of(capsys, ["chain", "fund", PAYEE, "1"])["balance_wei"] == str(10**18)
        with up(kind) as url:
            wait_for(JsonRpcChain(url))
            assert JsonRpcChain(url).balance(PAYEE) == 10**18
    else:
        assert balances == [7, 8]


@contextmanager
def up(kind: str) -> Iterator[str]:
    """Run ``parity chain up`` in a process of its own; interrupt it afterwards."""
    port = free_port()
    words = ["chain", "up", "--node", kind, "--port", str(port), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "parity_flwr.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = json.loads(process.stdout.readline())
        assert (found["node"], found["url"]) == (kind, f"http://127.0.0.1:{port}")
        yield str(found["url"])
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0  # Ctrl-C is how it ends
        if process.stdout is not None:
            process.stdout.close()


def wait_for(chain: JsonRpcChain) -> None:
    """Ask until it answers."""
    for _ in range(20_000):
        with suppress(NodeError):
            _ = chain.chain_id
            return
    raise AssertionError("no answer")


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert execute(["chain", "up", "--node", "embedded", "--port", port]) == 3
    assert "choose another with --port" in capsys.readouterr().err


def test_a_runs_outbox_is_shown_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox = sql_outbox(tmp_path / "parity-home" / "runs" / "mine")
    assert json_of(capsys, ["chain", "outbox", "mine"])["states"] == {}
    for number in range(3):
        outbox.add(payment(number))
    outbox.advance(1, OutboxState.FAILED, reason="reverted: no \x1b[2Jfunds")
    shown = json_of(capsys, ["chain", "outbox"])
    assert shown["states"] == {"failed": 1, "queued": 2}
    assert [row["key"] for row in shown["failed"]] == ["payment/0"]
    assert [row["key"] for row in shown["under_way"]] == ["payment/1", "payment/2"]
    assert execute(["chain", "outbox", "mine"]) == 0
    text = capsys.readouterr().out
    assert "1 failed, 2 queued" in text
    assert "\x1b" not in text
    assert json_of(capsys, ["chain", "outbox", "mine", "--retry"])["retried"] == 1
    assert outbox.failed() == ()
    assert [row.position for row in outbox.unsettled(limit=9)] == [1, 2, 3]
