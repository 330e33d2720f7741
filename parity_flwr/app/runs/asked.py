"""What a run was asked to do, in its folder as ``request.json``, so that it can be repeated."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.errors import ConfigError, JournalError
from parity_flwr.files import atomic_file

REQUEST = "request.json"
_MAX_BYTES = 1 << 20
_MAX_APP_FILES = 10_000
_APP_FILES = (".py", ".toml")
_PACKAGES = ("parity-flwr", "flwr", "numpy", "scikit-learn", "torch")


@dataclass(frozen=True, kw_only=True)
class AskedRun:
    """One command line, without its secrets.

    Parameters
    ----------
    command : str
        ``run`` or ``demo``.
    options : mapping
        What was given, by parameter: text, number, true, or a list of texts. Paths are
        absolute.
    paths : tuple of str
        Files and the app's directory among them, whose content decides the result.
    withheld : tuple of str
        Options of which a secret was left out: they must be given again.
    """

    command: str
    options: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """An :class:`AskedRun` as it was when it started.

    Parameters
    ----------
    asked : AskedRun
    digests : mapping
        SHA-256 of each of its paths: of a file its bytes, of a directory the names and
        bytes of its Python and TOML files.
    versions : mapping
        Installed versions that can change a model.
    """

    asked: AskedRun
    digests: Mapping[str, str]
    versions: Mapping[str, str]


def write_asked(folder: RunFolder, asked: AskedRun | None) -> None:
    """Write down what was asked, once: a run that is continued keeps what started it.

    Raises
    ------
    JournalError
        The folder cannot be written.
    """
    path = folder.path / REQUEST
    if asked is None or path.exists():
        return
    whole = {
        "format": 1,
        **asdict(asked),
        "digests": {each: path_digest(Path(each)) for each in asked.paths},
        "versions": installed_versions(),
    }
    try:
        with atomic_file(path) as file:
            file.write((json.dumps(whole, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise JournalError(
            f"a run needs to write {path}",
            came=error.strerror or str(error),
            action="free some space, or fix the permissions",
        ) from error


def read_asked(folder: RunFolder) -> RecordedRun:
    """Return what :func:`write_asked` wrote.

    Raises
    ------
    ConfigError
        There is none, or it is damaged.
    """
    path = folder.path / REQUEST
    try:
        with path.open("rb") as file:
            whole = json.loads(file.read(_MAX_BYTES + 1))
        asked = AskedRun(
            command=_text(whole["command"]),
            options={_text(name): _plain(value) for name, value in whole["options"].items()},
            paths=tuple(map(_text, whole["paths"])),
            withheld=tuple(map(_text, whole["withheld"])),
        )
        return RecordedRun(
            asked=asked,
            digests={each: _text(whole["digests"][each]) for each in asked.paths},
            versions={_text(k): _text(v) for k, v in whole["versions"].items()},
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"repeating {folder.id} needs its {REQUEST}",
            came="none: it was not started by 'parity run', or by an older version",
            action="start it again with 'parity run'",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"repeating {folder.id} needs an undamaged {REQUEST}",
            came=type(error).__name__,
            action="start it again with 'parity run'",
        ) from error


def installed_versions() -> dict[str, str]:
    """Return the versions of what is installed of the packages that can change a model."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def path_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of an app's directory; empty if it cannot be read."""
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for each in _app_files(path):
                inner = path_digest(each)
                digest.update(f"{each.relative_to(path).as_posix()}\0{inner}\n".encode())
            return digest.hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _app_files(folder: Path) -> list[Path]:
    return sorted(_walked(folder))[:_MAX_APP_FILES]


def _walked(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith((".", "__"))]
        for name in files:
            if name.endswith(_APP_FILES):
                yield Path(root, name)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _plain(value: object) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value]
    if not isinstance(value, bool | int | float | str):
        raise TypeError("no plain value")
    return value
