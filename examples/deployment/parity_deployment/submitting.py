"""Submitting runs as a user does, and reading what the journal says meanwhile."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parity_deployment.federation import Federation
from parity_flwr.app.engines.processes import kept
from parity_flwr.app.journal import SqlJournal, open_journal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.outcome import has_journal
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import JournalError


def parity(*arguments: str) -> list[str]:
    """Return the command line of ``parity``."""
    return [sys.executable, "-m", "parity_flwr.cli.main", *arguments]


def run_command(federation: Federation, app: Path, run_config: str, *more: str) -> list[str]:
    """Return the command that runs an app on the federation."""
    return parity(
        "run", str(app), "--engine", "deployment", "--superlink", federation.address,
        "--root-certificates", str(federation.authority), "--run-config", run_config, *more,
    )  # fmt: skip


@contextmanager
def submitted(
    federation: Federation, command: list[str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the block; it ends with the block at the latest."""
    with kept(
        command, log=log, variables=federation.variables, cwd=federation.folder
    ) as process:
        yield process


def run_id_of(federation: Federation, known: set[str]) -> str | None:
    """Return the id of the run that is not among the known, None if there is none yet."""
    new = [run.id for run in all_runs(federation.home) if run.id not in known]
    return new[0] if new else None


def journal(federation: Federation, run_id: str) -> SqlJournal:
    """Open the journal of a run."""
    return open_journal(RunFolder(federation.home / "runs" / run_id))


def rounds(federation: Federation, run_id: str | None) -> list[RoundRecord]:
    """Return the rounds that the journal has; none while it is being made."""
    if run_id is None or not has_journal(RunFolder(federation.home / "runs" / run_id)):
        return []
    try:
        return journal(federation, run_id).rounds()
    except JournalError:
        return []
