"""From a run's journal to `report.html` and `metrics.jsonl`."""

from __future__ import annotations

from pathlib import Path

from parity_flwr.app.chains.summary import chain_summary
from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.baselines import read_baselines
from parity_flwr.app.report.files import write_text
from parity_flwr.app.report.html import build_report
from parity_flwr.app.report.metrics import write_metrics
from parity_flwr.app.report.page import RunData
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import Verification


def read_run(folder: RunFolder, *, verification: Verification | None = None) -> RunData:
    """Read everything a report needs from the journal and its folder.

    Raises
    ------
    JournalError
        The journal or `baselines.json` is missing or corrupt.
    """
    journal = open_journal(folder)
    status = journal.status()
    return RunData(
        run_id=folder.id,
        header=journal.header(),
        rounds=journal.rounds(),
        evaluations=journal.evaluations(),
        status=status.status,
        reason=status.reason,
        created=str(status.created or ""),
        finished=str(status.finished or ""),
        baselines=read_baselines(folder.path),
        verification=verification,
        chain=chain_summary(journal),
    )


def write_report(
    folder: RunFolder, *, output: Path | None = None, verification: Verification | None = None
) -> Path:
    """Write the report, and `metrics.jsonl` beside the journal; return the report's path.

    Parameters
    ----------
    output : Path, optional
        Where the report goes; in the run's folder if None.
    verification : Verification, optional
        What :func:`parity_flwr.app.verification.verify.verify` found; shown in the report.

    Raises
    ------
    JournalError
        The journal is missing or corrupt.
    ConfigError
        `output` cannot be written.
    """
    data = read_run(folder, verification=verification)
    write_metrics(folder.path, rounds=data.rounds, evaluations=data.evaluations)
    return write_text(output or folder.report, build_report(data))
