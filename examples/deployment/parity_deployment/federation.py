"""A SuperLink with TLS and node authentication, and its SuperNodes, on this machine."""

import hashlib
import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from parity_deployment.certificates import make_certificates, make_node_key
from parity_flwr.app.engines.keeper import descendants
from parity_flwr.app.engines.processes import flower_variables, free_port, kept, program
from parity_flwr.app.engines.superlink import CONNECTION, write_connection

PATIENCE_S = 300.0
_REGISTERED = re.compile(r"SuperNode (\d+) registered")


class Service:
    """One program that is started, killed as a power cut would, and started again.

    Parameters
    ----------
    name : str
        Names its log.
    command : list of str
        What to run.
    folder : Path
        Where log and working directory are.
    variables : dict
        Its environment.
    """

    def __init__(
        self, name: str, command: list[str], *, folder: Path, variables: dict[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._cwd = folder / "cwd"
        self._variables = variables
        self._running = ExitStack()
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program; it ends with this process at the latest."""
        self._cwd.mkdir(exist_ok=True)
        context = kept(self._command, log=self.log, variables=self._variables, cwd=self._cwd)
        self._keeper = self._running.enter_context(context)

    def kill(self) -> None:
        """Send SIGKILL to the program and to everything it started."""
        if self._keeper is not None:
            for pid in descendants(self._keeper.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End the program in an orderly way."""
        self._running.close()
        self._keeper = None

    @property
    def running(self) -> bool:
        """Whether the program runs."""
        return self._keeper is not None and self._keeper.poll() is None


class Federation:
    """A SuperLink and three SuperNodes with keys of their own.

    Parameters
    ----------
    folder : Path
        Gets keys, certificates, logs, Flower's database and the runs.
    names : tuple of str
        Of the SuperNodes.
    """

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.folder = folder
        self.home = folder / "parity"
        self.address = f"127.0.0.1:{free_port()}"
        self.authority = folder / "ca.crt"
        self.variables = flower_variables(folder / "flower", PARITY_HOME=str(self.home))
        make_certificates(folder)
        pem = {name: make_node_key(folder / name) for name in (*names, "stranger")}
        self.identities = {name: _identity(pem[name]) for name in names}
        self._names: dict[str, str] = {}  # by Flower's node id
        self.superlink = self._service("superlink", self._superlink_command())
        self.nodes = {
            name: self._service(name, self._node_command(name, index, len(names)))
            for index, name in enumerate(names)
        }
        self.stranger = self._service("stranger", self._node_command("stranger", 0, 1))
        write_connection(
            folder / "flower", self.address, root_certificates=self.authority, insecure=False
        )

    def start(self) -> None:
        """Start the SuperLink and register the keys; a node that starts then is let in."""
        self.start_superlink()
        for name in self.nodes:
            key = str(self.folder / f"{name}.pub")
            said = self.flower("supernode", "register", key, CONNECTION, "--name", name)
            if (found := _REGISTERED.search(said)) is None:
                raise SystemExit(f"registering {name} gave no node id: {said}")
            self._names[found[1]] = name

    def start_superlink(self) -> None:
        """Start the SuperLink and wait until it answers over TLS."""
        self.superlink.start()
        self.wait(self._answers, "the SuperLink's answer")

    def stop(self) -> None:
        """End everything."""
        for service in (*self.nodes.values(), self.stranger, self.superlink):
            service.stop()

    def bring_back(self, name: str) -> None:
        """Start a node until it stays, as a supervisor would.

        The SuperLink refuses a node that it still takes for online: a minute after a crash.
        """
        node = self.nodes[name]

        def returned() -> bool:
            if not node.running:
                node.stop()
                node.start()
            return name in self.online()

        self.wait(lambda: name not in self.online(), f"the SuperLink to miss {name}")
        self.wait(returned, f"{name}'s return")

    def online(self) -> set[str]:
        """Return the names of the nodes that the SuperLink calls online."""
        listing = self.flower("supernode", "list", CONNECTION, "--format", "json")
        nodes = json.loads(listing)["nodes"]
        up = [node["node-id"] for node in nodes if node["status"] == "online"]
        return {self._names[node_id] for node_id in up if node_id in self._names}

    def flower(self, *arguments: str) -> str:
        """Run Flower's command line and return what it printed."""
        done = subprocess.run(
            [program("flwr", self.variables), *arguments],
            env=self.variables, cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise SystemExit(f"flwr {' '.join(arguments)} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds, for five minutes at most."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"waited in vain for {what}; see the logs in {self.folder}")
            time.sleep(0.2)

    def _service(self, name: str, command: list[str]) -> Service:
        return Service(name, command, folder=self.folder, variables=self.variables)

    def _superlink_command(self) -> list[str]:
        host, _, port = self.address.partition(":")
        return [
            program("flower-superlink", self.variables),
            "--ssl-ca-certfile", str(self.authority),
            "--ssl-certfile", str(self.folder / "server.crt"),
            "--ssl-keyfile", str(self.folder / "server.key"),
            "--enable-supernode-auth",
            "--database", str(self.folder / "superlink.db"),
            "--host", host, "--port", port,
            "--disable-runtime-dependency-installation",
        ]  # fmt: skip

    def _node_command(self, name: str, index: int, count: int) -> list[str]:
        return [
            program("flower-supernode", self.variables),
            "--root-certificates", str(self.authority),
            "--superlink", self.address,
            "--auth-supernode-private-key", str(self.folder / name),
            "--port", str(free_port()),
            "--node-config", f"partition-id={index} num-partitions={count}",
        ]  # fmt: skip

    def _answers(self) -> bool:
        trusted = ssl.create_default_context(cafile=str(self.authority))
        with suppress(OSError):
            url = f"https://{self.address}/health"
            with urllib.request.urlopen(url, context=trusted, timeout=2) as answer:
                return answer.status == 200
        return False


@contextmanager
def running(folder: Path, names: tuple[str, ...]) -> Iterator[Federation]:
    """Run a federation for the length of the block."""
    federation = Federation(folder, names)
    try:
        yield federation
    finally:
        federation.stop()


def _identity(pem: str) -> str:
    """Return how :class:`parity_flwr.strategies.NodeKeyIdentity` calls the owner of a key."""
    return f"key:{hashlib.sha256(pem.strip().encode()).hexdigest()[:16]}"
