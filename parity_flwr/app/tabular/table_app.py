"""A table as a Flower app: what a simulation's processes load, from the run's folder."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from parity_flwr.app.report.files import write_text
from parity_flwr.app.tabular.data import TabularData, exactly_encoded, load_rows
from parity_flwr.app.tabular.federation import TabularFederation, build_federation, judge
from parity_flwr.app.tabular.plan import TabularPlan
from parity_flwr.app.tabular.plan_file import read_plan, write_plan
from parity_flwr.app.tabular.private_data import resumed, table_privacy
from parity_flwr.app.tabular.private_federation import build_private
from parity_flwr.core.protocols import Journal
from parity_flwr.strategies.bookkeeping import AUTOMATIC, open_journal

_FOLDER = "run-folder"
_APP = "table-app"

_PROJECT = """[project]
name = "table"
version = "1.0.0"
description = "The rows of a CSV file, divided among clients"
license = {{ text = "Apache-2.0" }}
dependencies = []

[tool.flwr.app]
publisher = "parity"

[tool.flwr.app.components]
serverapp = "tableapp.apps:server_app"
clientapp = "tableapp.apps:client_app"

[tool.flwr.app.config]
run-folder = {folder}
"""

_APPS = '''"""The apps of a table, whose run's folder says the rest."""

from flwr.serverapp import ServerApp

from parity_flwr.app.tabular.table_app import TableClientApp, serve

client_app = TableClientApp()
server_app = ServerApp()
server_app.main()(serve)
'''


def write_table_app(folder: Path, plan: TabularPlan) -> Path:
    """Write the plan and an app that runs it into the run's folder; return the app's."""
    write_plan(folder, plan)
    app = folder / _APP
    package = app / "tableapp"
    package.mkdir(parents=True, exist_ok=True)
    write_text(app / "pyproject.toml", _PROJECT.format(folder=json.dumps(str(folder))))
    write_text(package / "__init__.py", '"""Made by parity run."""\n')
    write_text(package / "apps.py", _APPS)
    return app


def was_simulated(folder: Path) -> bool:
    """Say whether the run in that folder was one of :func:`write_table_app`."""
    return (folder / _APP).is_dir()


class TableClientApp(ClientApp):
    """Clients of the table whose folder stands in the run's configuration."""

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer with the client of the node's partition."""
        federation, _ = _opened(str(context.run_config[_FOLDER]))
        return federation.client_app(message, context)


def serve(grid: Grid, context: Context) -> None:
    """Run the strategy of the table to its end."""
    federation, data = _built(Path(str(context.run_config[_FOLDER])), open_journal(AUTOMATIC))
    federation.strategy.start(
        grid,
        federation.initial,
        num_rounds=federation.rounds,
        evaluate_fn=judge(federation, data),
    )


@lru_cache(maxsize=1)  # a worker answers many messages of one run
def _opened(folder: str) -> tuple[TabularFederation, TabularData]:
    return _built(Path(folder), None)


def _built(folder: Path, journal: Journal | None) -> tuple[TabularFederation, TabularData]:
    """Return what the run needs; noise on the encoding was drawn before, once."""
    rows = load_rows(read_plan(folder))
    plan = rows.plan
    privacy = table_privacy(plan, rows)
    data = resumed(folder, rows, privacy)
    if privacy is None or data is None:
        data = exactly_encoded(rows)
        return build_federation(plan, data, journal=journal), data
    return build_private(plan, data, privacy, journal=journal, run=folder.name), data
