"""The simulation engine: Flower's own, with Ray, on a SuperLink of the run's own."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from parity_flwr.app.engines.flower_app import FlowerApp
from parity_flwr.app.engines.flower_cli import FlowerCli, FlowerRun
from parity_flwr.app.engines.processes import flower_variables
from parity_flwr.app.engines.superlink import CONNECTION, private_superlink, write_connection
from parity_flwr.errors import MissingExtraError


def run_simulation(
    app: FlowerApp,
    *,
    folder: Path,
    variables: dict[str, str],
    num_clients: int,
    on_started: Callable[[str], None] | None = None,
) -> FlowerRun:
    """Run the app with ``num_clients`` simulated clients.

    Everything that Flower writes goes to ``folder``; every process is gone at the end,
    also after an interrupt or when this process is killed.

    Parameters
    ----------
    folder : Path
        The run's folder.
    variables : dict
        What the ServerApp and the clients find in their environment besides ours.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    EngineError
        The SuperLink does not start.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError("the simulation engine", extra="sim")
    home = folder / "flower-home"
    ray = _ray_folder()
    environment = flower_variables(home, RAY_TMPDIR=str(ray), **variables)
    with private_superlink(folder, variables=environment, simulation=True, scratch=ray) as link:
        write_connection(home, link.address, insecure=True)
        cli = FlowerCli(connection=CONNECTION, variables=environment, folder=folder)
        return cli.run(app, federation_config=_federation(num_clients), on_started=on_started)


def _federation(num_clients: int) -> str:
    """One CPU a client, and no more workers than clients: each costs about 0.1 GB."""
    workers = min(num_clients, os.cpu_count() or 1)
    return (
        f"num-supernodes={num_clients} client-resources-num-cpus=1 init-args-num-cpus={workers}"
    )


def _ray_folder() -> Path:
    """Make Ray's folder: a short path, as a socket's may have 107 characters only."""
    short = Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it
    return Path(tempfile.mkdtemp(prefix="parity-", dir=short if short.is_dir() else None))
