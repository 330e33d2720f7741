"""Fixtures that every test may use, and the isolation that every test gets."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from anvil_node import Anvil, find_anvil
from postgres_server import PostgresServer, find_postgres

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "parity",
    deadline=None,  # the machine's load is not a property of the code
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("parity")


def pytest_configure() -> None:
    """Keep Flower and matplotlib off the network and off the screen, before any import."""
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
    os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"
    os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture(autouse=True)
def isolated_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own homes, so that no test sees a run of another or of the user."""
    for name in [name for name in os.environ if name.startswith("PARITY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PARITY_HOME", str(tmp_path / "parity-home"))
    monkeypatch.setenv("FLWR_HOME", str(tmp_path / "flwr-home"))


@pytest.fixture(autouse=True)
def usual_recursion_limit() -> None:
    """Undo what importing eth-account or py-evm in a test module does to the process."""
    sys.setrecursionlimit(1000)


@pytest.fixture
def task_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test make Flower messages outside of a run."""
    from flwr.supercore.task_identity import TaskIdentity

    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20261120)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the source tree; skip where only an installed wheel is under test."""
    if not (ROOT / "pyproject.toml").is_file() or not (ROOT / "strategies").is_dir():
        pytest.skip("needs the source tree")
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with the large data sets; skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a private PostgreSQL server on a Unix socket; skip without its program."""
    pytest.importorskip("psycopg")
    programs = find_postgres()
    if programs is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl")
    with PostgresServer(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """Return the SQLAlchemy URL of a new, empty database."""
    return postgres_server.create_database()


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """Start a real node on loopback; skip without its program."""
    pytest.importorskip("web3")
    program = find_anvil()
    if program is None:
        pytest.skip("needs anvil: npm install --no-save @foundry-rs/anvil@1.7.1")
    with Anvil(program) as node:
        yield node
