"""A SuperLink of our own: private home, free loopback port, gone when it is not needed."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from parity_flwr.app.engines.failure import one_line
from parity_flwr.app.engines.processes import free_port, kept, program
from parity_flwr.errors import EngineError

CONNECTION = "parity"
"""Name of the connection in the private Flower configuration."""
START_TIMEOUT_S = 90.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class SuperLink:
    """A SuperLink that is up."""

    port: int

    @property
    def address(self) -> str:
        """The address of all its APIs."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def private_superlink(
    folder: Path,
    *,
    variables: Mapping[str, str],
    simulation: bool,
    scratch: Path | None = None,
) -> Iterator[SuperLink]:
    """Run a SuperLink for the length of the block; its log is ``superlink.log``.

    Parameters
    ----------
    folder : Path
        Where its log goes and its (empty) working directory is made. Apps run in that
        directory: a user's own would come first on the path of Ray's workers.
    variables : mapping
        Its environment, which its apps inherit.
    simulation : bool
        Whether it runs clients itself, with Ray.
    scratch : Path, optional
        A folder that is removed when it is gone.

    Raises
    ------
    EngineError
        It does not start.
    """
    cwd = folder / "cwd"
    cwd.mkdir(parents=True, exist_ok=True)
    log = folder / "superlink.log"
    for attempt in range(1, _ATTEMPTS + 1):
        link = SuperLink(free_port())
        command = _command(link, variables, simulation=simulation)
        with kept(command, log=log, variables=variables, cwd=cwd, scratch=scratch) as process:
            if _wait_until_up(link, process):
                yield link
                return
        if attempt == _ATTEMPTS:  # a port can be lost between finding and taking it
            raise _not_up(log)


def write_connection(
    home: Path, address: str, *, root_certificates: Path | None = None, insecure: bool
) -> None:
    """Write a Flower configuration whose only connection is this one."""
    connection: dict[str, str | bool] = {"address": address}
    if root_certificates is not None:
        connection["root-certificates"] = str(root_certificates.absolute())
    elif insecure:
        connection["insecure"] = True
    content = {"superlink": {"default": CONNECTION, CONNECTION: connection}}
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(tomli_w.dumps(content), encoding="utf-8")


def is_up(port: int) -> bool:
    """Return whether a SuperLink answers on that loopback port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _command(link: SuperLink, variables: Mapping[str, str], *, simulation: bool) -> list[str]:
    return [
        program("flower-superlink", variables),
        "--insecure",
        *(["--simulation"] if simulation else []),
        "--host", "127.0.0.1",
        "--port", str(link.port),
        "--isolation", "subprocess",
        "--disable-runtime-dependency-installation",
    ]  # fmt: skip


def _wait_until_up(link: SuperLink, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if is_up(link.port):
            return True
        time.sleep(0.1)
    return False


def _not_up(log: Path) -> EngineError:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    last = (text.strip().splitlines() or ["nothing in its log"])[-1]
    return EngineError(
        "a run needs a SuperLink that starts", came=one_line(last), action=f"see {log}"
    )
