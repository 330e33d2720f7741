"""The long content drills: ``make drill``, or ``python tests/drill_content.py [MODULES]``.

A js-ipfs daemon on loopback serves Kubo's RPC to KuboStore and to ipfshttpclient, at every
size where the tree changes its shape; then random bits of a bundle are flipped. npm installs
the daemon (289 MB, some minutes) unless MODULES is a node_modules folder that has it.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundled_runs import published_run
from content_cases import VECTORS, pattern
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.chain_bridge.content import DirectoryStore, fetch_round
from parity_flwr.chain_bridge.content.existing_client import IpfsHttpClientStore
from parity_flwr.chain_bridge.content.http import Service
from parity_flwr.chain_bridge.content.kubo import KuboStore
from parity_flwr.chain_bridge.content.mirror import MirroringStore
from parity_flwr.core.content.unixfs import CLASSIC, V0_2015, V1_2025, file_cid
from parity_flwr.core.protocols import ContentStore
from parity_flwr.errors import ContentError

PACKAGE = "ipfs@0.66.1"
FLIPS = 10_000
START_S = 60.0
# js-ipfs needs what Node 20 does not have yet
POLYFILL = """
if (!Promise.withResolvers) Promise.withResolvers = function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}
"""


def install(folder: Path) -> Path:
    """Install the daemon with npm; return its node_modules."""
    started = time.monotonic()
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    print(f"npm installed {PACKAGE} in {time.monotonic() - started:.0f} s", flush=True)
    return folder / "node_modules"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def daemon(modules: Path, folder: Path) -> Iterator[int]:
    """Run js-ipfs offline on loopback; give the port of its RPC; stop it by its id."""
    polyfill = folder / "polyfill.cjs"
    polyfill.write_text(POLYFILL)
    repo = folder / "repo"
    environment = dict(os.environ, NODE_OPTIONS=f"--require {polyfill}", IPFS_PATH=str(repo))
    program = str(modules / ".bin" / "jsipfs")
    subprocess.run(
        [program, "init", "--profile", "test"],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    rpc, gateway, grpc = free_ports(3)
    config = json.loads((repo / "config").read_text())
    config["Bootstrap"] = []
    config["Addresses"] |= {
        "Swarm": [],
        "API": f"/ip4/127.0.0.1/tcp/{rpc}",
        "Gateway": f"/ip4/127.0.0.1/tcp/{gateway}",
        "RPC": f"/ip4/127.0.0.1/tcp/{grpc}",
    }
    (repo / "config").write_text(json.dumps(config))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [program, "daemon", "--offline"], env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            wait_for(rpc, process)
            yield rpc
        finally:
            process.terminate()
            process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the daemon did not start")


def every_size(name: str, store: ContentStore, column: int) -> None:
    """Put, get and pin the vectors: what the node said once it says again."""
    started = time.monotonic()
    for vector in VECTORS:
        size, right = int(vector[0]), str(vector[column])
        data = pattern(size)
        assert store.put(data) == right, (name, size)
        assert store.get(right, max_bytes=size) == data
        store.pin(right)
    print(f"{name}: {len(VECTORS)} sizes equal, {time.monotonic() - started:.1f} s", flush=True)


def refusals(store: KuboStore) -> None:
    """A real node's refusals are our errors."""
    cid = store.put(b"x" * 1000)
    for wanted, limit in ((cid, 999), (str(file_cid([b"nowhere"])), 10)):
        try:
            store.get(wanted, max_bytes=limit)
        except ContentError as error:
            print(f"refused: {str(error)[:110]}")
        else:
            raise AssertionError("nothing was refused")


def rpc(modules: Path, folder: Path) -> None:
    """All profiles through our client, two through ipfshttpclient, a run through a mirror."""
    with daemon(modules, folder) as port:
        service = Service(url=f"http://127.0.0.1:{port}", timeout_s=10)
        for column, profile in ((1, V0_2015), (2, CLASSIC), (3, V1_2025)):
            every_size(
                f"rpc, {profile.name}", KuboStore(service=service, profile=profile), column
            )
        refusals(KuboStore(service=service))
        existing(port)
        remote = KuboStore(service=service)
        mirror = MirroringStore(local=DirectoryStore(folder=folder / "m"), remote=remote)
        run, published = published_run(folder / "run")
        kept = DirectoryStore(folder=run.content)
        last = published[-1]
        for cid in (last.model, last.scores, last.record):
            assert mirror.put(kept.get(cid, max_bytes=1 << 20)) == cid
        found = fetch_round(remote, last.record)
        assert found.scores.reward_root == last.reward_root
        print("a published round was fetched from the node by its CID")


def existing(port: int) -> None:
    try:
        ipfshttpclient = importlib.import_module("ipfshttpclient")
    except ImportError:
        print("ipfshttpclient: not installed")
        return
    warnings.simplefilter("ignore")  # of a version from 2022, and of urllib3
    client = ipfshttpclient.Client(f"/ip4/127.0.0.1/tcp/{port}/http")
    for column, profile in ((1, V0_2015), (2, CLASSIC)):
        store = IpfsHttpClientStore(client, profile=profile)
        every_size(
            f"ipfshttpclient {ipfshttpclient.__version__}, {profile.name}", store, column
        )


def flips(folder: Path) -> None:
    """Flip random bits of a bundle: every one is found."""
    run, _ = published_run(folder / "flipped")
    bundle_run(run, folder / "bundle")
    raw, rng = (folder / "bundle").read_bytes(), random.Random(1)
    for _ in range(FLIPS):
        changed, bit = bytearray(raw), rng.randrange(8 * len(raw))
        changed[bit // 8] ^= 1 << bit % 8
        (folder / "changed").write_bytes(changed)
        assert not verify_bundle(folder / "changed").ok, bit
    print(f"{FLIPS} flipped bits of a bundle of {len(raw)} bytes: {FLIPS} found")


def main() -> int:
    """Run both; an assertion that fails ends the drill."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flips(folder)
        if len(sys.argv) > 1:
            rpc(Path(sys.argv[1]), folder)
        elif shutil.which("npm"):
            rpc(install(folder / "npm"), folder)
        else:
            print("js-ipfs: skipped, npm is not installed")
    print(f"content drills passed in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
