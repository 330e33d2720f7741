"""A real Ethereum node for the tests: anvil from npm, on loopback, stopped by its handle."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.errors import NodeError

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
FUNDED = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


def find_anvil() -> Path | None:
    """Return anvil's native program: npm's in this tree, else what PATH has."""
    local = ROOT / PROGRAM
    on_path = shutil.which("anvil")
    return local if local.is_file() else Path(on_path) if on_path else None


class Anvil:
    """Start a node on entry, stop it on exit; ``restart`` keeps its state."""

    def __init__(self, program: Path, *options: str) -> None:
        self._program = program
        self._options = options
        self._home = Path(tempfile.mkdtemp(prefix="parity-anvil-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Anvil:
        """Start, and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it and remove what it wrote."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Start it, with the state it had before."""
        command = [str(self._program), "--host", "127.0.0.1", "--port", str(self.port)]
        state = ["--silent", "--state", str(self._home / "state.json")]
        # It keeps block files below HOME.
        environment = {**os.environ, "HOME": str(self._home)}
        self._process = subprocess.Popen(
            [*command, *state, *self._options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._await()

    def stop(self) -> None:
        """Stop it; it writes its state."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def chain(self) -> JsonRpcChain:
        """Return a connection to it."""
        return JsonRpcChain(self.url)

    def fund(self, address: str, wei: int) -> None:
        """Set an account's balance."""
        self.chain().request("anvil_setBalance", address, hex(wei))

    def mine(self, blocks: int) -> None:
        """Mine empty blocks."""
        self.chain().request("anvil_mine", hex(blocks))

    def reorg(self, depth: int, transactions: list[list[object]] | None = None) -> None:
        """Replace the newest blocks by others; what was in them is dropped."""
        self.chain().request("anvil_reorg", depth, transactions or [])

    def _await(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                _ = self.chain().chain_id
                return
            except NodeError:
                assert time.monotonic() < deadline, "anvil does not answer"
                assert self._process is not None
                assert self._process.poll() is None, "anvil ended"
                time.sleep(0.01)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
