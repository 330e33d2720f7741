"""Child processes that never outlive their purpose, and what they need around them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from parity_flwr.app.engines import keeper
from parity_flwr.app.environment import inherited
from parity_flwr.errors import EngineError

_QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ADDRESS": "local",  # never join a cluster that happens to run here
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray listens on the loopback address only
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONUNBUFFERED": "1",
    "COLUMNS": "500",  # Flower's command line breaks its errors at the terminal's width
    "TERMINAL_WIDTH": "500",
}


def flower_variables(home: Path | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a Flower process: ours, silent, loopback without a proxy.

    Parameters
    ----------
    home : Path, optional
        Its FLWR_HOME; by default the user's own.
    more : str
        Further variables.
    """
    found = {**inherited(), **_QUIET, **more}
    scripts = (sysconfig.get_path("scripts"), str(Path(sys.executable).parent))
    found["PATH"] = os.pathsep.join((*scripts, found.get("PATH", os.defpath)))
    for name in ("NO_PROXY", "no_proxy"):
        found[name] = ",".join(filter(None, (found.get(name), "127.0.0.1", "localhost")))
    if home is not None:
        found["FLWR_HOME"] = str(home)
    return found


def program(name: str, variables: Mapping[str, str]) -> str:
    """Return the path of one of Flower's programs.

    Raises
    ------
    EngineError
        It is not on the path.
    """
    path = shutil.which(name, path=variables.get("PATH"))
    if path is None:
        raise EngineError(
            f"this engine needs the program {name}",
            came="none on the path",
            action="install flwr into the environment that runs parity",
        )
    return path


def free_port() -> int:
    """Return a port on the loopback address that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def kept(
    command: Sequence[str],
    *,
    log: Path,
    variables: Mapping[str, str],
    cwd: Path,
    scratch: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that ends, with all it started, when the block or this process ends.

    ``scratch``, if given, is removed then. Yields the keeper: its ``poll()`` is None for as
    long as the command runs.
    """
    watched = [
        sys.executable, "-P", keeper.__file__, str(log), str(scratch or ""), *command
    ]  # fmt: skip
    with log.open("ab") as output:
        process = subprocess.Popen(
            watched,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=dict(variables),
            cwd=cwd,
            start_new_session=True,  # a Ctrl-C is ours to pass on
        )
    try:
        yield process
    finally:
        _dismiss(process)


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe and wait; a keeper that hangs is killed with its group."""
    try:
        if process.stdin is not None:
            process.stdin.close()
        process.wait(timeout=4 * keeper.GRACE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
