"""Writing a report's files so that a reader never sees half of one."""

from __future__ import annotations

from pathlib import Path

from parity_flwr.errors import ConfigError
from parity_flwr.files import atomic_file


def write_text(path: Path, text: str) -> Path:
    """Write the text under `path`, whole or not at all, and return the path.

    Raises
    ------
    ConfigError
        The path cannot be written.
    """
    try:
        with atomic_file(path) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"writing {path} needs a folder that can be written to",
            came=error.strerror or str(error),
            action="name another file, or mend the permissions",
        ) from error
    return path
