"""Removing runs: which, whether that is safe, and what it freed."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.runs.in_use import alone, is_in_use
from parity_flwr.app.runs.size import folder_bytes
from parity_flwr.errors import ConfigError, RunError

_AGE = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_GOING = ".removing-"  # no run's id begins so: what is half removed is no run any more
_NO_USE = ("-wal", "-shm", "lock")  # reading a journal touches them


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which runs to remove.

    Parameters
    ----------
    references : sequence of str
        Runs by name; nothing else may be given beside them.
    everything : bool
        All of them.
    older_than_s : float, optional
        Those in which nothing was written for so many seconds.
    keep : int, optional
        All but the newest so many; with ``older_than_s`` those stay whatever their age.

    Raises
    ------
    ConfigError
        Nothing is selected, or in two ways.
    """

    references: Sequence[str] = ()
    everything: bool = False
    older_than_s: float | None = None
    keep: int | None = None

    def __post_init__(self) -> None:
        filtered = self.older_than_s is not None or self.keep is not None
        if [bool(self.references), self.everything, filtered].count(True) != 1:
            raise ConfigError(
                "removing runs needs their names, or --all, or --older-than and --keep",
                came="none of them" if not (filtered or self.references) else "several",
                action="see 'parity runs rm --help'",
            )


@dataclass(frozen=True, kw_only=True)
class Removable:
    """A run to remove, and what it holds."""

    folder: RunFolder
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a selection comes to: what goes, and what stays and why."""

    going: tuple[Removable, ...]
    staying: tuple[tuple[str, str], ...]  # run id and reason


def parse_age(text: str) -> float:
    """Return the seconds that a text names: ``30d``, ``12h``, ``2w``.

    Raises
    ------
    ConfigError
        It names none.

    Examples
    --------
    >>> parse_age("30d")
    2592000.0
    """
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(
            "--older-than needs a number and s, m, h, d or w, such as 30d",
            came=repr(text[:40]),
            action="change --older-than",
        )
    return float(found[1]) * _SECONDS[found[2]]


def choose(selection: Selection, home: Path) -> Choice:
    """Return what goes and what stays.

    Raises
    ------
    ConfigError
        A named run is not there, is running, or is not a folder of its own below ``home``.
    """
    if selection.references:
        found = [RunFolder.find(each, home) for each in selection.references]
        named = list({run.path: run for run in found}.values())
        for run in named:
            reason = _obstacle(run, home)
            if reason:
                raise ConfigError(
                    f"removing {run.id} needs a run that is over, in {home / 'runs'}",
                    came=reason,
                    action="end it first, or leave it out",
                )
        return Choice(going=tuple(map(_weighed, named)), staying=())
    wanted = _filtered(selection, home)
    reasons = {run.id: _obstacle(run, home) for run in wanted}
    going = tuple(_weighed(run) for run in wanted if not reasons[run.id])
    staying = tuple((name, reason) for name, reason in reasons.items() if reason)
    return Choice(going=going, staying=staying)


def remove(run: RunFolder, home: Path) -> None:
    """Remove one run's folder; from its first moment on there is no such run.

    Raises
    ------
    RunError
        A process is at work in it, or the system refuses.
    """
    with alone(run.path) as free:
        reason = _place_obstacle(run, home) if free else "one that is running"
        if reason:
            raise _refused(run, reason)
        try:
            going = run.path.rename(run.path.with_name(_GOING + run.id))
            shutil.rmtree(going)  # never follows a link
        except OSError as error:
            raise _refused(run, error.strerror or str(error)) from error


def finish_removals(home: Path) -> None:
    """Remove what an interrupted removal left behind."""
    for path in (home / "runs").glob(f"{_GOING}*"):
        if path.is_dir() and not path.is_symlink() and not is_in_use(path):
            shutil.rmtree(path, ignore_errors=True)


def last_written(run: RunFolder) -> float:
    """Return when the newest of a run's own files was written, in seconds since 1970."""
    times: list[float] = []
    with suppress(OSError), os.scandir(run.path) as entries:
        times = [
            entry.stat(follow_symlinks=False).st_mtime
            for entry in entries
            if entry.is_file(follow_symlinks=False) and not entry.name.endswith(_NO_USE)
        ]
    return max(times, default=run.path.stat().st_mtime)


def outcome(removed: Sequence[Removable], staying: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what was done as plain data."""
    return {
        "removed": [
            {"run_id": each.folder.id, "path": str(each.folder.path), "bytes": each.bytes}
            for each in removed
        ],
        "skipped": [{"run_id": name, "reason": reason} for name, reason in staying],
        "freed_bytes": sum(each.bytes for each in removed),
    }


def _filtered(selection: Selection, home: Path) -> list[RunFolder]:
    runs = all_runs(home)
    if selection.everything:
        return runs
    older = runs[: max(0, len(runs) - (selection.keep or 0))]
    if selection.older_than_s is None:
        return older
    limit = time.time() - selection.older_than_s
    return [run for run in older if last_written(run) < limit]


def _obstacle(run: RunFolder, home: Path) -> str:
    """Return why a run must stay, empty if it need not."""
    return _place_obstacle(run, home) or ("one that is running" if is_in_use(run.path) else "")


def _place_obstacle(run: RunFolder, home: Path) -> str:
    """Return why a folder must not be touched: it must lie in the home, by no detour."""
    if run.path.is_symlink():
        return "a link to somewhere else"
    if run.path.resolve().parent != home.resolve() / "runs":
        return "a folder outside of it"
    return ""


def _weighed(run: RunFolder) -> Removable:
    return Removable(folder=run, bytes=folder_bytes(run.path))


def _refused(run: RunFolder, came: str) -> RunError:
    return RunError(
        f"removing {run.id} needs {run.path}, writable and not in use",
        came=came,
        action="end what uses it, or fix the permissions, and try again",
    )
