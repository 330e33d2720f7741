"""A SuperLink and its SuperNodes on the loopback address, for tests of a real deployment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from parity_flwr.app.engines.processes import flower_variables, free_port, kept, program
from parity_flwr.app.engines.superlink import private_superlink


@contextmanager
def federation(folder: Path, *, clients: int) -> Iterator[str]:
    """Run a SuperLink with one SuperNode for each partition; yield the address."""
    found = flower_variables(folder / "flwr-home", PARITY_TEST_MARK=str(folder))
    folder.mkdir()
    with ExitStack() as stack:
        link = stack.enter_context(private_superlink(folder, variables=found, simulation=False))
        for partition in range(clients):
            command = [
                program("flower-supernode", found), "--insecure",
                "--superlink", link.address, "--port", str(free_port()),
                "--node-config", f"partition-id={partition} num-partitions={clients}",
            ]  # fmt: skip
            log = folder / f"supernode-{partition}.log"
            stack.enter_context(kept(command, log=log, variables=found, cwd=folder / "cwd"))
        yield link.address
