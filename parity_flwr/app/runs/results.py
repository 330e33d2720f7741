"""Results of an app's own, in the folder of its run, and a few lines for whoever started it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.text import visible
from parity_flwr.core.protocols import Journal
from parity_flwr.errors import JournalError
from parity_flwr.files import atomic_file

RESULTS = "results.json"
SUMMARY = "summary.txt"
MAX_LINES, MAX_WIDTH = 40, 120


def folder_of(journal: Journal) -> RunFolder:
    """Return the run's folder of a journal that lies in one.

    An app gets its journal from :func:`parity_flwr.app.journal.from_environment` and gives it
    to its strategy: under ``parity run`` the folder is the run's, under a plain ``flwr run``
    a new one below ``$PARITY_HOME/runs``.

    Raises
    ------
    JournalError
        The journal has no folder: it is not one of ours.
    """
    folder = getattr(journal, "folder", None)
    if isinstance(folder, RunFolder):
        return folder
    raise JournalError(
        "results need the folder of the run",
        came=f"a {type(journal).__name__} without one",
        action="use the journal of parity_flwr.app.journal.from_environment()",
    )


def leave_results(
    folder: RunFolder,
    results: Mapping[str, Any],
    *,
    lines: Sequence[str],
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Write an app's results: ``results.json``, ``summary.txt`` and pictures by name.

    ``parity run`` prints the summary at the end, and with ``--json`` the results' path.

    Raises
    ------
    JournalError
        A file cannot be written.
    ValueError
        A number is not finite; JSON has none such.
    """
    data = json.dumps(results, indent=1, allow_nan=False).encode()
    files = {RESULTS: data + b"\n", SUMMARY: "".join(f"{each}\n" for each in lines).encode()}
    for name, content in {**files, **(pictures or {})}.items():
        _write(folder.path / Path(name).name, content)


def summary_lines(folder: RunFolder) -> list[str]:
    """Return what the app left for the terminal; nothing if it left nothing.

    At most 40 lines of 120 printable characters: a run's folder may come from elsewhere.
    """
    try:
        with (folder.path / SUMMARY).open(encoding="utf-8", errors="replace") as file:
            text = file.read(8 * MAX_LINES * MAX_WIDTH)
    except OSError:
        return []
    return [visible(line)[:MAX_WIDTH] for line in text.splitlines()[:MAX_LINES]]


def results_path(folder: RunFolder) -> str | None:
    """Return where the app's results lie, if it left any."""
    path = folder.path / RESULTS
    return str(path) if path.is_file() else None


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_file(path) as file:
            file.write(content)
    except OSError as error:
        raise JournalError(
            f"results need to be written to {path}",
            came=error.strerror or str(error),
            action="free space, or fix the folder's permissions",
        ) from error
