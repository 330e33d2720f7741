"""An app through plain `flwr run`, on a SuperLink that is gone afterwards."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parity_flwr.app.engines.processes import flower_variables, program
from parity_flwr.app.engines.superlink import CONNECTION, private_superlink, write_connection
from process_tree import marked, wait_until

_LIMIT_S = 300


@contextmanager
def own_superlink(folder: Path, *, mark: Path) -> Iterator[dict[str, str]]:
    """Start what `flwr run` starts by itself and leaves behind, for the length of the block.

    Yields the environment of commands whose default connection it is; its processes, and
    theirs, are found by the mark.
    """
    scratch = Path(tempfile.mkdtemp(prefix="parity-", dir="/tmp"))  # a socket's path is short
    home = folder / "home"
    found = flower_variables(home, PARITY_TEST_MARK=str(mark), RAY_TMPDIR=str(scratch))
    with private_superlink(folder, variables=found, simulation=True, scratch=scratch) as link:
        write_connection(home, link.address, insecure=True)
        yield found


def flwr_run(app: Path, folder: Path, *, clients: int, run_config: str = "") -> str:
    """Run an app as a user of Flower does and return what the command printed."""
    folder.mkdir()
    with own_superlink(folder, mark=folder) as found:
        done = subprocess.run(
            [
                program("flwr", found), "run", str(app), CONNECTION, "--stream",
                "--federation-config",
                f"num-supernodes={clients} client-resources-num-cpus=1",
                *(["--run-config", run_config] if run_config else []),
            ],
            env=found, capture_output=True, text=True, timeout=_LIMIT_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    wait_until(lambda: not marked(str(folder)), timeout_s=60)
    return done.stdout + done.stderr
