"""Apps on Flower's engines, and a SuperLink with its SuperNodes on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.engines.processes import flower_variables, free_port, kept, program
from parity_flwr.app.engines.superlink import private_superlink
from parity_flwr.app.runs.folder import RunFolder
from process_tree import marked

APPS = Path(__file__).parent / "apps"


def completed(
    app: str,
    folder: Path,
    *,
    clients: int,
    engine: Engine = Engine.INPROCESS,
    superlink: str | None = None,
    overrides: Sequence[str] = (),
) -> RunFolder:
    """Run a test's app to its end and return the folder with its journal."""
    outcome = run_app(
        APPS / app,
        engine=engine,
        folder=RunFolder(folder / engine.value),
        num_clients=clients,
        run_config_overrides=overrides,
        superlink=superlink,
    )
    assert outcome.completed, outcome.reason
    assert outcome.journal is not None
    return outcome.journal


def completed_on_three_engines(
    app: str, folder: Path, *, clients: int, overrides: Sequence[str] = ()
) -> dict[Engine, RunFolder]:
    """Run a test's app on every engine; nothing that was started is left."""
    found = {
        engine: completed(app, folder, clients=clients, engine=engine, overrides=overrides)
        for engine in (Engine.INPROCESS, Engine.SIMULATION)
    }
    with federation(folder / "federation", clients=clients) as address:
        found[Engine.DEPLOYMENT] = completed(
            app,
            folder,
            clients=clients,
            engine=Engine.DEPLOYMENT,
            superlink=address,
            overrides=overrides,
        )
    assert marked(str(folder)) == {}
    return found


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
