"""`parity bundle` and `parity verify --bundle`, and where content goes by the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundled_runs import publish_all, published_run
from ipfs_servers import Node, Pinner, serving
from journal_records import finished
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.app.content import content_store, pinning_target
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.chain_bridge.content.http import Service
from parity_flwr.chain_bridge.content.kubo import KuboStore
from parity_flwr.chain_bridge.content.mirror import MirroringStore
from parity_flwr.cli.main import execute
from parity_flwr.core.content.records import PinState
from parity_flwr.core.content.unixfs import V0_2015, file_cid
from parity_flwr.errors import ConfigError, ContentError


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Return a published run in this test's PARITY_HOME."""
    return published_run(tmp_path / "parity-home" / "runs" / "run")[0]


def json_of(capsys: pytest.CaptureFixture[str]) -> Any:
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    return json.loads(line)


def test_bundle_then_verify(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "run.parity")
    assert execute(["bundle", "run", "--output", output, "--json"]) == 0
    made = json_of(capsys)
    assert (made["run_id"], made["rounds"], made["published"]) == ("run", 3, 3)
    assert made["bytes"] == Path(output).stat().st_size
    assert execute(["verify", "--bundle", output, "--json"]) == 0
    found = json_of(capsys)
    assert (found["verify"], found["anchored"], found["run_id"]) == ("ok", False, "run")
    for trust in (made["root"], made["head"]):
        assert execute(["verify", "--bundle", output, "--trust", trust, "--json"]) == 0
        assert json_of(capsys)["anchored"] is True
    assert execute(["verify", "--bundle", output, "--trust", "0" * 64, "--json"]) == 1
    assert json_of(capsys)["anchored"] is False


def test_people_read_that_nothing_anchors_it(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "run.parity")
    assert execute(["bundle", "latest", "--output", output]) == 0
    shown = capsys.readouterr().out
    assert "root  " in shown
    assert "head  " in shown
    assert execute(["verify", "--bundle", output]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["skip  trust anchor: self-consistent, not anchored", f"{output}: ok"]


def test_a_damaged_bundle_is_one_line_and_exit_code_1(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.parity"
    bundle_run(folder, path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert execute(["verify", "--bundle", str(path)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("FAIL  bundle: section published/00003/scores (bytes ")
    assert last == f"{path}: does not hold"


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", "run", "--bundle", "x"],
        ["verify", "--bundle", "no-such-file"],
        ["verify", "--bundle", "."],
        ["verify", "run", "--trust", "x"],
        ["verify", "run", "--trust", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
        ["verify", "--bundle", "x", "--updates", "."],
        ["bundle", "run"],
        ["bundle", "nothing", "--output", "x"],
        ["bundle", "run", "--output", "."],
        ["bundle", "run", "--output", __file__],
    ],
)
def test_what_the_user_gets_wrong_is_one_line_and_exit_code_2(
    folder: RunFolder, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1


def test_an_output_that_is_there_is_replaced_only_by_force(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"mine")
    assert execute(["bundle", "run", "--output", str(path)]) == 2
    assert path.read_bytes() == b"mine"
    assert execute(["bundle", "run", "--output", str(path), "--force"]) == 0
    assert path.read_bytes().startswith(b"parity-bundle-v1")


def test_a_run_is_compared_with_the_head_that_was_kept(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    head = list(open_journal(folder).entries())[-1].hash
    assert execute(["verify", "run", "--trust", head, "--json"]) == 0
    assert json_of(capsys)["lines"][-1]["name"] == "trust anchor"
    assert execute(["verify", "run", "--trust", "ab" * 32]) == 1


def test_content_goes_where_the_environment_says(tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    home = {"PARITY_HOME": str(tmp_path)}
    assert isinstance(content_store(run, Environment.read(home)), DirectoryStore)
    assert pinning_target(Environment.read(home)) is None
    node = Node(tmp_path / "node")
    with serving(node) as url:
        environment = Environment.read({**home, "PARITY_IPFS_URL": url})
        store = content_store(run, environment)
        cid = store.put(b"model")
        store.pin(cid)
        assert DirectoryStore(folder=run.content).get(cid, max_bytes=9) == b"model"
        assert KuboStore(service=Service(url=url)).get(cid, max_bytes=9) == b"model"
        (block,) = run.content.rglob("bafk*")
        block.unlink()
        assert store.get(cid, max_bytes=9) == b"model"
    with pytest.raises(ContentError):
        store.put(b"another")


def test_pins_go_where_the_environment_says(tmp_path: Path) -> None:
    pinner = Pinner("secret-token")
    with serving(pinner, path="/v1") as url:
        variables = {"PARITY_PINNING_URL": url, "PARITY_PINNING_TOKEN": "secret-token"}
        environment = Environment.read(variables)
        target = pinning_target(environment)
        assert target is not None
        assert target.request(str(file_cid([b"x"]))).state is PinState.QUEUED
    assert "secret-token" not in repr(environment)
    assert Environment.read(environment.variables()) == environment


def test_a_token_without_a_url_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PARITY_IPFS_TOKEN needs"):
        content_store(RunFolder(tmp_path), Environment.read({"PARITY_IPFS_TOKEN": "secret"}))
    with pytest.raises(ConfigError, match="PARITY_PINNING_TOKEN needs"):
        pinning_target(Environment.read({"PARITY_PINNING_TOKEN": "secret"}))


def test_a_mirror_cuts_alike(tmp_path: Path) -> None:
    first = DirectoryStore(folder=tmp_path)
    with pytest.raises(ConfigError, match="cut files alike"):
        MirroringStore(local=first, remote=DirectoryStore(folder=tmp_path, profile=V0_2015))


def test_publishing_twice_changes_nothing(folder: RunFolder) -> None:
    before = sorted(folder.content.rglob("*"))
    publish_all(folder)
    assert sorted(folder.content.rglob("*")) == before
