"""The deployment engine: submit to a SuperLink that is already running, and follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from parity_flwr.app.engines.flower_app import FlowerApp
from parity_flwr.app.engines.flower_cli import FlowerCli, FlowerRun
from parity_flwr.app.engines.processes import flower_variables
from parity_flwr.app.engines.superlink import CONNECTION, write_connection
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.errors import ConfigError, ParityError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def run_deployment(
    app: FlowerApp,
    *,
    superlink: str,
    folder: Path,
    root_certificates: Path | None = None,
    on_started: Callable[[str], None] | None = None,
) -> FlowerRun:
    """Run the app on the clients that are connected to a SuperLink.

    An interrupt ends the following, not the run: stop that with ``flwr stop``.

    Parameters
    ----------
    superlink : str
        ``HOST:PORT``, or the name of a connection in the user's Flower configuration.
        An address off this machine is spoken to with TLS only.
    folder : Path
        Where the log goes. The journal is made where the ServerApp runs; see
        :func:`find_journal`.
    root_certificates : Path, optional
        The certificate authority that signed the SuperLink's certificate.

    Raises
    ------
    ConfigError
        The SuperLink is neither an address nor a name, or the certificates are not there.
    """
    if ":" not in superlink:
        cli = FlowerCli(connection=superlink, variables=flower_variables(), folder=folder)
        return cli.run(app, on_started=on_started)
    home = folder / "flower-home"
    host = _host(superlink)
    if root_certificates is not None and not root_certificates.is_file():
        raise ConfigError(
            "TLS needs the root certificates as a file",
            came=str(root_certificates),
            action="give the path of ca.crt",
        )
    write_connection(
        home, superlink, root_certificates=root_certificates, insecure=host in _LOOPBACK
    )
    cli = FlowerCli(connection=CONNECTION, variables=flower_variables(home), folder=folder)
    return cli.run(app, on_started=on_started)


def find_journal(home: Path, flower_run_id: str) -> RunFolder | None:
    """Return the run under ``home`` whose journal names Flower's run, newest first.

    None if there is none: then the ServerApp ran on another machine, under another
    PARITY_HOME, or without our strategy.
    """
    for run in reversed(all_runs(home)):
        if _flower_run_id(run) == flower_run_id:
            return run
    return None


def _flower_run_id(run: RunFolder) -> str | None:
    try:
        header = open_journal(run).header()
    except ParityError:  # somebody else's run may be of another version, or damaged
        return None
    return header.environment.get("flower-run-id") if header is not None else None


def _host(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(
            "a SuperLink needs HOST:PORT or the name of a connection",
            came=repr(address[:80]),
            action="give for example 127.0.0.1:8000",
        )
    return host
