"""The doctor finds and names what is wrong: each fault is produced, none is pretended."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from anvil_node import Anvil, find_anvil, free_port
from chain_cases import served
from doctor_asking import Found, ask_process, clock_server, installed_without, told
from ipfs_servers import Node, serving
from parity_flwr.app.chains.keys import make_wallet
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.cli.main import execute


class TestPackages:
    def test_1_a_wrong_version_of_flower(self, tmp_path: Path) -> None:
        env = installed_without(tmp_path / "site", "flwr-")
        wrong = tmp_path / "site" / "flwr-1.30.0.dist-info"
        wrong.mkdir()
        (wrong / "METADATA").write_text("Metadata-Version: 2.1\nName: flwr\nVersion: 1.30.0\n")
        check = ask_process(code=1, flags=["-S"], env=env)["flwr"]
        assert check["status"] == "fail"
        assert check["detail"].startswith("1.30.0 (needs ")
        assert check["action"].startswith("pip install 'flwr")

    def test_2_a_missing_extra(self, tmp_path: Path) -> None:
        env = installed_without(tmp_path / "site", "psycopg", "tenseal")
        found = ask_process("--extra", "postgres", code=1, flags=["-S"], env=env)
        assert found["extra postgres"]["status"] == "fail"
        assert "psycopg missing" in found["extra postgres"]["detail"]
        assert found["extra postgres"]["action"] == "pip install 'parity-flwr[postgres]'"
        assert found["extra privacy"]["status"] in {
            "warn",
            "ok",
        }  # ok where none of it is there

    def test_2_a_chain_without_its_extra(self, tmp_path: Path) -> None:
        env = installed_without(tmp_path / "site", "web3", "eth")
        found = ask_process("--chain", "http://127.0.0.1:9", code=1, flags=["-S"], env=env)
        assert found["chain 127.0.0.1:9"]["action"] == "run: pip install 'parity-flwr[chain]'"
        assert found["chain 127.0.0.1:9"]["status"] == "fail"

    def test_an_unknown_extra_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert execute(["doctor", "--extra", "nonsense"]) == 2
        assert "choose from api, " in capsys.readouterr().err


class TestMachine:
    def test_3_a_port_in_use(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.socket() as listener:
            listener.bind(("0.0.0.0", 0))
            port = str(listener.getsockname()[1])
            listener.listen()
            check = told(capsys, "--port", port, code=1)[f"port {port}"]
        assert check["status"] == "fail"
        assert "in use" in check["detail"]
        assert f"sport = :{port}" in check["action"]
        assert told(capsys, "--port", port, code=0)[f"port {port}"]["status"] == "ok"

    @pytest.mark.parametrize("name", ["", "runs"])
    def test_4_no_write_access(
        self,
        name: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        home = tmp_path / "place"
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("a file in the way")
        monkeypatch.setenv("PARITY_HOME", str(home))
        check = told(capsys, code=1)["PARITY_HOME"]
        assert (check["status"], "set PARITY_HOME" in check["action"]) == ("fail", True)

    def test_4_a_read_only_file_system(self, tmp_path: Path) -> None:
        check = self.mounted(tmp_path, "ro")["PARITY_HOME"]
        assert check["status"] == "fail"
        assert "Read-only file system" in check["detail"]

    def test_5_low_disk(self, tmp_path: Path) -> None:
        found = self.mounted(tmp_path, "size=50m")
        assert found["PARITY_HOME"]["status"] == "ok"
        assert found["disk"]["status"] == "fail"
        assert re.match(r"5\d\.\d MB free for ", found["disk"]["detail"])

    @staticmethod
    def mounted(folder: Path, options: str) -> Found:
        """Ask a doctor whose home is a file system of its own."""
        enter = ["unshare", "--mount", "--map-root-user"]
        script = f'mount -t tmpfs -o {options} none "$PARITY_HOME" && exec "$@"'
        env = {"PARITY_HOME": str(folder)}
        try:
            probe = [*enter, "sh", "-c", script, "sh", "true"]
            subprocess.run(
                probe, check=True, env={**os.environ, **env}, capture_output=True, timeout=30
            )
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("may not mount a file system here")
        return ask_process(code=1, before=[*enter, "sh", "-c", script, "sh"], env=env)

    @pytest.mark.parametrize(("cpus", "status", "code"), [("2", "fail", 1), ("1", "ok", 0)])
    def test_11_ray_with_too_few_cpus(self, cpus: str, status: str, code: int) -> None:
        one = str(min(os.sched_getaffinity(0)))
        pinned = ["taskset", "-c", one]
        check = ask_process("--client-cpus", cpus, code=code, before=pinned)["ray's CPUs"]
        assert check["status"] == status
        assert check["detail"] == f"1 can be used, a client takes {cpus}"

    def test_11_flowers_default_does_not_fit_one_cpu(self) -> None:
        one = str(min(os.sched_getaffinity(0)))
        check = ask_process(code=0, before=["taskset", "-c", one])["ray's CPUs"]
        assert check["status"] == "warn"
        assert "client-resources.num-cpus = 1" in check["action"]

    def test_11_a_ray_that_is_elsewhere(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
        assert told(capsys, code=1)["ray's address"]["action"] == "unset RAY_ADDRESS"


class TestClock:
    @pytest.mark.parametrize(
        ("ahead_s", "status", "side"),
        [
            (3600, "fail", "3600 s behind"),
            (-600, "fail", "600 s ahead"),
            (-15, "warn", "ahead"),
        ],
    )
    def test_6_a_skewed_clock(
        self, ahead_s: float, status: str, side: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with clock_server(ahead_s) as url:
            found = told(capsys, "--ipfs", url, code=1)  # it is no IPFS node either
        check = found[f"clock beside {url.removeprefix('http://')}"]
        assert check["status"] == status
        assert side in check["detail"]
        assert "timedatectl" in check["action"]

    def test_6_a_chain_from_the_future(self, capsys: pytest.CaptureFixture[str]) -> None:
        chain = EmbeddedChain()
        chain.advance(3600)
        with chain, served(chain) as url:
            make_wallet(ChainPlaces(Environment.read().home), "w", "password")
            found = told(capsys, "--chain", url, "--wallet", "w", code=1)
        assert "ahead of this clock" in found["clock"]["detail"]
        assert found[f"clock beside {url.removeprefix('http://')}"]["status"] == "ok"


class TestServices:
    def test_7_an_unreachable_node(self, capsys: pytest.CaptureFixture[str]) -> None:
        port = free_port()
        check = told(capsys, "--chain", f"http://127.0.0.1:{port}/secret", code=1)
        assert "secret" not in json.dumps(check)
        found = check[f"chain 127.0.0.1:{port}"]
        assert found["status"] == "fail"
        assert found["action"].startswith("start the node")

    def test_8_another_chain(self, capsys: pytest.CaptureFixture[str]) -> None:
        with EmbeddedChain() as chain, served(chain) as url:
            check = told(capsys, "--chain", url, "--chain-id", "1", code=1)["chain id"]
            assert check["status"] == "fail"
            assert check["detail"] == f"the node is of chain {chain.chain_id}, not 1"

    def test_8_a_chain_without_this_homes_contracts(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        places = ChainPlaces(Environment.read().home)
        make_wallet(places, "default", "password")
        places.deployment(1).write_text("{}")
        with EmbeddedChain() as chain, served(chain) as url:
            check = told(capsys, "--chain", url, code=1)["chain id"]
        assert check["status"] == "warn"
        assert "has contracts on 1 only" in check["detail"]

    def test_8_another_chain_of_anvil(self, capsys: pytest.CaptureFixture[str]) -> None:
        program = find_anvil()
        if program is None:
            pytest.skip("needs anvil: npm install --no-save @foundry-rs/anvil@1.7.1")
        with Anvil(program, "--chain-id", "7777") as node:
            wrong = told(capsys, "--chain", node.url, "--chain-id", "1", code=1)
            assert wrong["chain id"]["detail"] == "the node is of chain 7777, not 1"
            right = told(capsys, "--chain", node.url, "--chain-id", "7777", code=1)
            assert right[f"chain 127.0.0.1:{node.port}"]["detail"].startswith("chain 7777")

    def test_9_no_balance(self, capsys: pytest.CaptureFixture[str]) -> None:
        home = Environment.read().home
        address, _ = make_wallet(ChainPlaces(home), "empty", "password")
        with EmbeddedChain() as chain, served(chain) as url:
            options = ("--chain", url, "--wallet", "empty")
            check = told(capsys, *options, code=1)["balance"]
        assert check["status"] == "fail"
        assert check["detail"] == f"{address} has 0 coins"
        assert check["action"] == f"send coins for gas to {address}"

    def test_9_a_wallet_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = told(capsys, "--chain", "embedded", "--wallet", "nobody", code=1)
        assert found["wallet"]["status"] == "fail"

    def test_a_funded_wallet_on_a_sound_chain_is_fine(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home = Environment.read().home
        address, _ = make_wallet(ChainPlaces(home), "mine", "password")
        assert execute(["chain", "fund", address, "5", "--json"]) == 0
        capsys.readouterr()
        found = told(capsys, "--chain", "embedded", "--wallet", "mine", code=0)
        assert found["balance"]["detail"].startswith(f"{address} has 5 coins, gas for about ")

    def test_10_no_ipfs_node(self, capsys: pytest.CaptureFixture[str]) -> None:
        port = free_port()
        check = told(capsys, "--ipfs", f"http://127.0.0.1:{port}", code=1)
        assert check[f"ipfs 127.0.0.1:{port}"]["status"] == "fail"
        assert "ipfs daemon" in check[f"ipfs 127.0.0.1:{port}"]["action"]

    @pytest.mark.parametrize("fault", ["", "babbles", "empties", "others"])
    def test_10_an_ipfs_node_or_something_else(
        self, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with serving(Node(tmp_path / "blocks", fault=fault)) as url:
            found = told(capsys, "--ipfs", url, code=1 if fault else 0)
        assert found[f"ipfs {url.removeprefix('http://')}"]["status"] == (
            "fail" if fault else "ok"
        )

    def test_the_environments_ipfs_node_is_checked(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = free_port()
        monkeypatch.setenv("PARITY_IPFS_URL", f"http://127.0.0.1:{port}")
        assert told(capsys, code=1)[f"ipfs 127.0.0.1:{port}"]["status"] == "fail"

    @pytest.mark.parametrize(
        "options", [("--wallet", "x"), ("--chain-id", "1"), ("--chain", "nonsense")]
    )
    def test_what_makes_no_sense_is_refused(
        self, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert execute(["doctor", *options]) == 2
        assert capsys.readouterr().err.startswith("error: ")


def test_quiet_shows_only_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert execute(["doctor", "--quiet"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not any(line.startswith("ok") for line in lines)
