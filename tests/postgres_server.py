"""A private PostgreSQL server for the tests: own data folder, Unix socket only, no fsync."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

OPTIONS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=20"


def find_postgres() -> Path | None:
    """Return the folder of initdb and pg_ctl: Debian's newest, else what PATH has."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    complete = (f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists())
    return next(complete, None)


class PostgresServer:
    """Start the server on entry, stop it and remove its data on exit.

    PostgreSQL refuses to run as root, so a root process starts it as ``nobody``.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="parity-pg-"))
        self._user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._databases = 0

    def __enter__(self) -> PostgresServer:
        """Create the cluster and wait until it accepts connections."""
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._user)
        self._run("initdb", "-U", "parity", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = f"-k {self._folder} {OPTIONS}"
        self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "log"), "-o", options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self._run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(self._folder)

    def create_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._run("createdb", "-h", str(self._folder), "-U", "parity", name, data=False)
        return f"postgresql+psycopg://parity@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str, data: bool = True) -> None:
        where = ["-D", str(self._folder / "data")] if data else []
        subprocess.run(
            [str(self._programs / program), *arguments, *where],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user=self._user if os.geteuid() == 0 else None,
            cwd=self._folder,
        )
