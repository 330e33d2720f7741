"""The folder of a run: where everything that belongs to it lies, and how to find it."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from parity_flwr.errors import ConfigError, JournalError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_STAMP = re.compile(r"\d{8}-\d{6}")
_READ_ONLY = "set PARITY_HOME to a directory you can write to, or switch off with journal=None"


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, ``$PARITY_HOME/runs/ID`` unless the user chose another.

    Parameters
    ----------
    path : Path
        The folder; its name is the run's id.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.path.absolute())
        _require_id(self.path.name)

    @property
    def id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    @property
    def database(self) -> Path:
        """The SQLite journal."""
        return self.path / "journal.sqlite"

    @property
    def pointer(self) -> Path:
        """The note of where the journal lies, if that is not in the folder."""
        return self.path / "journal.json"

    @property
    def journal_url(self) -> str:
        """The URL of the folder's own SQLite journal; see ``journal.open_journal``."""
        return f"sqlite:///{self.database}"

    @property
    def checkpoints(self) -> Path:
        """The folder of the model checkpoints."""
        return self.path / "checkpoints"

    @property
    def updates(self) -> Path:
        """The folder of the kept updates."""
        return self.path / "updates"

    @property
    def content(self) -> Path:
        """The folder of the published content, as blocks."""
        return self.path / "content"

    @property
    def publications(self) -> Path:
        """The folder of the notes of what is published."""
        return self.path / "publications"

    @property
    def model(self) -> Path:
        """The final model."""
        return self.path / "model.npz"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def client_logs(self) -> Path:
        """The folder of the clients' logs."""
        return self.path / "clients"

    def make(self, *, new: bool = False) -> RunFolder:
        """Make the folder if it is not there; with ``new`` it must not be.

        Raises
        ------
        ConfigError
            It is there although it should be new.
        JournalError
            The folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=not new)
        except FileExistsError as error:
            raise ConfigError(
                "a new run needs an id of its own",
                came=f"{self.id!r}, which is taken",
                action="choose another id, or continue that run with --resume",
            ) from error
        except OSError as error:
            raise JournalError(
                f"a run needs the folder {self.path}",
                came=error.strerror or str(error),
                action=_READ_ONLY,
            ) from error
        return self

    def to_be_published(self) -> None:
        """Keep the model of every round until the round is published.

        Raises
        ------
        JournalError
            The folder cannot be made.
        """
        try:
            self.publications.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(
                f"publishing needs the folder {self.publications}",
                came=error.strerror or str(error),
                action=_READ_ONLY,
            ) from error

    @classmethod
    def create(cls, home: Path, run_id: str | None = None) -> RunFolder:
        """Make the folder of a new run under ``home``.

        Raises
        ------
        ConfigError
            ``run_id`` is not an id, or is taken.
        JournalError
            The folder cannot be made.
        """
        name = _require_id(run_id if run_id is not None else new_id())
        return cls(home / "runs" / name).make(new=True)

    @classmethod
    def find(cls, reference: str, home: Path) -> RunFolder:
        """Find a run by id, unique beginning of an id, ``latest``, or path.

        Raises
        ------
        ConfigError
            No run, or several, go by that reference.
        """
        if os.sep in reference or "/" in reference or reference in {".", ".."}:
            return _at_path(reference)
        runs = all_runs(home)
        if reference == "latest" and runs:
            return runs[-1]
        exact = [run for run in runs if run.id == reference]
        found = exact or [run for run in runs if reference and run.id.startswith(reference)]
        if len(found) == 1:
            return found[0]
        came = f"{reference[:80]!r}, which fits {_some(found)}"
        raise ConfigError(
            f"a run needs to be one of those in {home / 'runs'}",
            came=came,
            action="run 'parity runs' to list them",
        )


def all_runs(home: Path) -> list[RunFolder]:
    """Return the runs under ``home``, oldest first; what cannot be a run is left out."""
    try:
        paths = [path for path in (home / "runs").iterdir() if _ID.fullmatch(path.name)]
        folders = [RunFolder(path) for path in paths if path.is_dir()]
        return sorted(folders, key=_age)
    except OSError:
        return []


def new_id() -> str:
    """Return an id like ``20261120-064512-ab12`` (UTC, then four random hex digits)."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _require_id(name: str) -> str:
    if not _ID.fullmatch(name):
        raise ConfigError(
            "a run's id needs 1 to 64 letters, digits, dots, dashes or underscores, "
            "a letter or digit first",
            came=repr(name[:80]),
            action="choose another name for the run or its folder",
        )
    return name


def _at_path(reference: str) -> RunFolder:
    try:
        path = Path(reference).expanduser().resolve()
        found = path.is_dir()
    except (OSError, RuntimeError, ValueError):
        path, found = Path(reference), False
    if not found:
        raise ConfigError(
            "a run needs its folder",
            came=f"{str(path)[:200]!r}, which is no directory",
            action="check the path, or run 'parity runs'",
        )
    run = RunFolder(path)
    if not (path.parent.name == "runs" or run.database.exists() or run.pointer.exists()):
        raise ConfigError(
            "a run needs a folder with a journal",
            came=f"{str(path)[:200]!r}, which has none",
            action="check the path, or run 'parity runs'",
        )
    return run


def _age(folder: RunFolder) -> tuple[str, float, str]:
    """Order by the time in the id, else by the folder's own time."""
    modified = folder.path.stat().st_mtime
    stamp = _STAMP.match(folder.id)
    text = stamp[0] if stamp else f"{datetime.fromtimestamp(modified, UTC):%Y%m%d-%H%M%S}"
    return text, modified, folder.id


def _some(runs: list[RunFolder]) -> str:
    if not runs:
        return "none"
    more = " and others" if len(runs) > 3 else ""
    return ", ".join(run.id for run in runs[:3]) + more
