"""From a command line to what is remembered of it, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.asked import AskedRun
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.errors import ConfigError

_SHOWN_ONLY = frozenset({"as_json", "quiet", "resume", "timeout"})
_SECRET = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
_PAIR = re.compile(r"(\S+?)=(\'[^\']*\'|\"[^\"]*\"|\S+)")  # as Flower splits overrides


def asked_of(context: click.Context) -> AskedRun:
    """Return what the command of ``context`` was given, with absolute paths, no secrets.

    What only decides how it is shown is left out, and so is what has its default.
    """
    found = _Asked()
    for param in context.command.params:
        name = param.name or ""
        source = context.get_parameter_source(name)
        if name in _SHOWN_ONLY or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        found.add(name, context.params.get(name))
    return AskedRun(
        command=context.command.name or "",
        options=found.options,
        paths=tuple(found.paths),
        withheld=tuple(found.withheld),
    )


class _Asked:
    """Collects options, one after another."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.paths: list[str] = []
        self.withheld: list[str] = []

    def add(self, name: str, value: Any) -> None:
        """Remember one option."""
        if name == "run_config":
            self.options[name] = [self._override(text) for text in value]
        elif name == "reputation_from":
            self.options[name] = str(RunFolder.find(value, Environment.read().home).path)
        elif isinstance(value, Path):
            self.options[name] = self._path(value)
        elif isinstance(value, str) and "://" in value:
            self.options[name] = self._url(name, value)
        elif isinstance(value, tuple | list):
            self.options[name] = [str(each) for each in value]
        elif value is not None:
            self.options[name] = value

    def _path(self, path: Path) -> str:
        whole = str(path.expanduser().absolute())
        self.paths.append(whole)
        return whole

    def _url(self, name: str, url: str) -> str:
        """Keep where a node is; a password or a provider's key stands in the rest."""
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if url.rstrip("/") != place:
            self.withheld.append(name)
        return place

    def _override(self, text: str) -> str:
        if text.strip().endswith(".toml"):
            return self._path(Path(text.strip()))

        def kept(pair: re.Match[str]) -> str:
            if not _SECRET.search(pair[1]):
                return pair[0]
            self.withheld.append(f"run_config {pair[1]}")
            return ""

        return _PAIR.sub(kept, text).strip()


def arguments_of(asked: AskedRun, command: click.Command) -> list[str]:
    """Return the command line that asks ``command`` for the same again.

    Raises
    ------
    ConfigError
        An option is none of the command's: another version wrote it.
    """
    params = {param.name or "": param for param in command.params}
    unknown = sorted(set(asked.options) - set(params))
    if unknown:
        raise ConfigError(
            f"repeating needs options that 'parity {command.name}' has",
            came=", ".join(unknown)[:200],
            action="use the version of parity-flwr that made the run",
        )
    found: list[str] = []
    positional: list[str] = []
    for name, value in asked.options.items():
        param = params[name]
        if isinstance(param, click.Argument):
            positional.append(str(value))
        else:
            found += _given(param, value)
    return [*found, "--", *positional] if positional else found


def _given(param: click.Parameter, value: Any) -> list[str]:
    option = param.opts[-1]
    if isinstance(value, bool):
        return [option] if value else [str(param.secondary_opts[-1])]
    values = value if isinstance(value, list) else [value]
    return [text for each in values if each != "" for text in (option, str(each))]


def replaced(asked: AskedRun, options: Mapping[str, Any]) -> AskedRun:
    """Return the same with some options in the place of others."""
    return AskedRun(
        command=asked.command,
        options={**asked.options, **options},
        paths=asked.paths,
        withheld=asked.withheld,
    )
