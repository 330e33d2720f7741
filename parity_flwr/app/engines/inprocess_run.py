"""The in-process engine: ServerApp and ClientApp called in this process, one after another."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from flwr.app import Context, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID

from parity_flwr.app.capture import captured
from parity_flwr.app.engines.failure import is_input_error, root_cause
from parity_flwr.app.engines.flower_app import FlowerApp, loaded
from parity_flwr.app.engines.flower_cli import FlowerRun
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.environment import exported


def run_inprocess(
    app: FlowerApp,
    *,
    folder: Path,
    client_logs: Path,
    variables: Mapping[str, str],
    num_clients: int,
    on_started: Callable[[str], None] | None = None,
) -> FlowerRun:
    """Run the app in this process.

    What it prints goes to ``folder/flower.log``, what its clients raise to one file per
    client in ``client_logs``. Not for several threads: the environment, ``sys.path`` and
    Flower's task identity are the process's.

    Raises
    ------
    ConfigError
        ``num_clients`` is less than 1.
    """
    run_id = _run_id(folder.name)
    if on_started is not None:
        on_started(str(run_id))
    try:
        with (
            exported(variables),
            captured(folder / "flower.log"),
            loaded(app) as (server_app, client_app),
            InProcessGrid(
                client_app,
                num_clients,
                run_config=app.run_config,
                run_id=run_id,
                on_client_error=_logger(client_logs),
            ) as grid,
        ):
            server_app(grid, _server_context(app, run_id))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the ServerApp is foreign code
        _log_failure(folder / "flower.log", error)
        return FlowerRun(
            run_id=str(run_id),
            completed=False,
            reason=root_cause(error),
            input_error=is_input_error(error),
        )
    return FlowerRun(run_id=str(run_id), completed=True)


def _server_context(app: FlowerApp, run_id: int) -> Context:
    return Context(
        run_id=run_id,
        node_id=SUPERLINK_NODE_ID,
        node_config={},
        state=RecordDict(),
        run_config=dict(app.run_config),
    )


def _run_id(name: str) -> int:
    """Return 63 bits that stay the same when the run in that folder is resumed."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1


def _logger(folder: Path) -> Callable[[int, BaseException], None]:
    def log(partition: int, error: BaseException) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"client-{partition}.log").open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))

    return log


def _log_failure(path: Path, error: BaseException) -> None:
    with captured(path):
        logging.getLogger("flwr").error("ServerApp raised an exception", exc_info=error)
