"""``parity chain up``: a chain of one's own on loopback, until it is interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.environment import inherited
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.serving import serve
from parity_flwr.errors import ChainError

ANVIL = Path("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
DEFAULT_PORT = 8545


def find_anvil() -> Path | None:
    """Return anvil: npm's below this directory, else what PATH has; None without one."""
    if ANVIL.is_file():
        return ANVIL.absolute()
    found = shutil.which("anvil")
    return Path(found) if found else None


def run_anvil(
    program: Path, places: ChainPlaces, *, port: int, ready: Callable[[], None]
) -> int:
    """Run anvil with its state in the home until it ends; return its exit code."""
    state = places.root / "chain" / "anvil.json"
    state.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [str(program), "--host", "127.0.0.1", "--port", str(port), "--silent"]
    with tempfile.TemporaryDirectory(prefix="parity-anvil-") as home:
        # It keeps block files below HOME and never removes them.
        environment = {**inherited(), "HOME": home}
        process = subprocess.Popen([*command, "--state", str(state)], env=environment)
        ready()
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            return process.wait(timeout=30) and 0


def run_embedded(places: ChainPlaces, *, port: int, ready: Callable[[int], None]) -> None:
    """Serve the embedded chain of the home until it is interrupted.

    Raises
    ------
    ChainError
        The port is taken, or another process has the chain.
    """
    with EmbeddedChain(places.embedded) as chain:
        try:
            server = serve(chain, port=port)
        except OSError as error:
            raise ChainError(
                f"a chain needs the port {port} of 127.0.0.1",
                came=os.strerror(error.errno or 0),
                action="choose another with --port",
            ) from error
        with server, suppress(KeyboardInterrupt):
            ready(int(server.server_address[1]))
            server.serve_forever()
