"""`parity run APP --data FILE`: one file of the user's, for an app that asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity_flwr.errors import ConfigError

DATA_KEY = "data"
"""The key of the run's configuration in which an app finds the path."""


def with_data(run_config: Sequence[str], data: Path | None) -> tuple[str, ...]:
    """Return the overrides of a run's configuration, with the path of its data if given.

    ``parity run APP --data FILE`` is ``flwr run APP --run-config 'data="FILE"'`` with a file
    that is there and an absolute path, because an app runs in another directory.

    Parameters
    ----------
    run_config : sequence of str
        ``"key=value"``, as for ``flwr run --run-config``.
    data : Path or None
        An existing file.

    Raises
    ------
    ConfigError
        The file cannot be read, its path cannot stand in TOML text, or the configuration is
        a TOML file, beside which Flower allows nothing, or holds the key already.

    Examples
    --------
    >>> with_data(["seed=7"], None)
    ('seed=7',)
    """
    if data is None:
        return tuple(run_config)
    for text in run_config:
        _refuse_beside(text.strip())
    return (*run_config, f"{DATA_KEY}={_quoted(_readable(data))}")


def _refuse_beside(text: str) -> None:
    if text.endswith(".toml"):
        came, action = f"the file {text[:120]!r}", f"write {DATA_KEY} = 'PATH' into that file"
    elif text.startswith(f"{DATA_KEY}=") or f" {DATA_KEY}=" in text:
        came, action = f"{DATA_KEY}= in --run-config", "leave one of them out"
    else:
        return
    raise ConfigError("--data needs to be the only one to name data", came=came, action=action)


def _readable(path: Path) -> str:
    found = path.expanduser().absolute()
    try:
        with found.open("rb"):
            return str(found)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            "--data needs a file that can be read",
            came=f"{str(found)[:200]!r}: {reason}",
            action="check the path",
        ) from error


def _quoted(path: str) -> str:
    """Return the path as TOML text that Flower's parser splits off whole."""
    if path.isprintable() and "'" not in path:
        return f"'{path}'"
    if path.isprintable() and '"' not in path and "\\" not in path:
        return f'"{path}"'
    raise ConfigError(
        "--data needs a path that can stand in a run's configuration",
        came=f"{path[:200]!r}",
        action="link the file to a path without quotes and control characters",
    )
