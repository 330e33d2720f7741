"""A Flower app's directory: read it with Flower's own rules, load it without leaving traces."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from flwr.app.user_config import UserConfigValue
from flwr.clientapp import ClientApp
from flwr.common.config import flatten_dict, fuse_dicts, parse_config_args, validate_config
from flwr.serverapp import ServerApp
from flwr.supercore import object_ref

from parity_flwr.app.engines.failure import one_line, root_cause
from parity_flwr.app.engines.importing import importing_from, reserved
from parity_flwr.core.wire import REPUTATION_FROM, RESUME
from parity_flwr.errors import ConfigError, EngineError, ParityError

_MAX_TOML_BYTES = 1 << 20
_PAIR = re.compile(r"(\S+?)=(\'[^\']*\'|\"[^\"]*\"|\S+)")  # Flower's own pattern
_ASK = "see the app's [tool.flwr.app.config]"
_Kind = TypeVar("_Kind", ServerApp, ClientApp)


@dataclass(frozen=True, kw_only=True)
class FlowerApp:
    """What a Flower app's pyproject.toml says, with the run config of one run."""

    path: Path
    name: str
    serverapp: str  # "module:attribute"
    clientapp: str
    run_config: Mapping[str, UserConfigValue]  # defaults and overrides, keys like "a.b"
    overrides: Mapping[str, UserConfigValue]


def read_app(app_dir: Path, overrides: Sequence[str] = ()) -> FlowerApp:
    """Read and check a Flower app's directory.

    Parameters
    ----------
    app_dir : Path
        Where its pyproject.toml lies.
    overrides : sequence of str
        ``"key=value"`` with a TOML value, several keys to a string if need be, or one
        path of a TOML file, as ``flwr run --run-config`` takes them.

    Raises
    ------
    ConfigError
        The directory is no Flower app, or an override does not fit it.
    """
    path = app_dir.expanduser().resolve()
    config = _read_toml(path / "pyproject.toml")
    app = config["tool"]["flwr"]["app"]
    defaults = flatten_dict(app.get("config", {}))
    chosen = parse_overrides(overrides, defaults=defaults)
    components = app["components"]
    for part in ("serverapp", "clientapp"):
        _check_component(path, part, components.get(part))
    return FlowerApp(
        path=path,
        name=str(config["project"]["name"]),
        serverapp=components["serverapp"],
        clientapp=components["clientapp"],
        run_config=fuse_dicts(defaults, chosen),
        overrides=chosen,
    )


@contextmanager
def loaded(app: FlowerApp) -> Iterator[tuple[ServerApp, ClientApp]]:
    """Import the app for as long as it is in use.

    Its directory comes first on ``sys.path``, and its modules are forgotten afterwards, so
    that two apps whose packages have the same name do not mix. Not for several threads.

    Raises
    ------
    EngineError
        The app cannot be imported, or does not define what its pyproject.toml names.
    """
    roots = {reference.partition(":")[0].partition(".")[0] for reference in _references(app)}
    with importing_from(app.path, roots):
        yield (
            _load(app, app.serverapp, ServerApp),
            _load(app, app.clientapp, ClientApp),
        )


def parse_overrides(
    texts: Sequence[str], *, defaults: Mapping[str, UserConfigValue]
) -> dict[str, UserConfigValue]:
    """Return the overrides by key; Flower's own parser drops what it does not understand.

    Raises
    ------
    ConfigError
        A text is not ``key=value``, a key is unknown, or a value has the wrong type.
    """
    texts = [text for text in texts if text.strip()]
    one_file = len(texts) == 1 and texts[0].endswith(".toml")
    for text in [] if one_file else texts:
        if _PAIR.sub("", text).strip():
            raise _bad_override(text)
    try:
        given = parse_config_args(texts)
    except (click.ClickException, ValueError, OSError) as error:
        raise _bad_override(" ".join(texts)) from error
    return {key: _fitting(key, value, defaults) for key, value in given.items()}


def _fitting(
    key: str, value: UserConfigValue, defaults: Mapping[str, UserConfigValue]
) -> UserConfigValue:
    """Return the value if the app knows the key, as a float where the app has a float."""
    if key not in defaults:
        if key in (RESUME, REPUTATION_FROM):
            raise _undeclared(key)
        near = difflib.get_close_matches(key, defaults, n=1)
        hint = f"did you mean {near[0]!r}?" if near else _ASK
        raise ConfigError(
            "a run config needs keys that the app declares",
            came=f"{key[:80]!r}",
            action=hint,
        )
    default = defaults[key]
    if _family(value) != _family(default):
        raise ConfigError(
            f"run config {key!r} needs a {_family(default)} like {default!r}",
            came=f"{value!r:.80}",
            action="give a value of that type (a text needs quotes)",
        )
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        raise ConfigError(
            f"run config {key!r} needs an integer of 64 bits",
            came=f"{value:.3g}" if abs(value) < 10**300 else "a larger one",
            action="choose a smaller number",
        )
    return float(value) if isinstance(default, float) else value


def _undeclared(key: str) -> ConfigError:
    return ConfigError(
        "continuing a run in a deployment needs an app that declares it",
        came=f"no {key!r} in its run config",
        action=f'add {key} = "" to [tool.flwr.app.config]',
    )


def _family(value: UserConfigValue) -> str:
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "number"


def _bad_override(text: str) -> ConfigError:
    return ConfigError(
        "a run config override needs the form key=value with a TOML value",
        came=f"{one_line(text)[:120]!r}",
        action="write numbers and true or false as they are, and texts in quotes: name='x'",
    )


def _read_toml(path: Path) -> dict[str, Any]:
    """Return the validated pyproject.toml."""
    try:
        if path.stat().st_size > _MAX_TOML_BYTES:
            raise ValueError(f"more than {_MAX_TOML_BYTES} bytes")
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        valid, problems, _ = validate_config(config, check_module=False)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        text = error.strerror or "" if isinstance(error, OSError) else str(error)
        raise _no_app(path, f"{type(error).__name__}: {text}") from error
    if not valid:
        raise _no_app(path, "; ".join(problems))
    return config


def _no_app(path: Path, came: str) -> ConfigError:
    return ConfigError(
        f"a Flower app needs a valid {path}",
        came=one_line(came),
        action="give the directory of a Flower app",
    )


def _check_component(path: Path, part: str, reference: object) -> None:
    if not isinstance(reference, str) or ":" not in reference:
        raise _no_app(path / "pyproject.toml", f"no {part} in [tool.flwr.app.components]")
    root = reference.partition(":")[0].partition(".")[0]
    if reserved(root):
        raise ConfigError(
            "a Flower app needs a package name of its own",
            came=f"{part} in the package {root!r}, which it would hide",
            action="rename the app's package",
        )


def _references(app: FlowerApp) -> tuple[str, str]:
    return app.serverapp, app.clientapp


def _load(app: FlowerApp, reference: str, kind: type[_Kind]) -> _Kind:
    try:
        found = object_ref.load_app(reference, ImportError, app.path)
    except ParityError:
        raise
    except (Exception, SystemExit) as error:
        raise _unloadable(app, reference, root_cause(error)) from error
    if not isinstance(found, kind):
        came = f"{type(found).__name__}, which is no {kind.__name__}"
        raise _unloadable(app, reference, came)
    return found


def _unloadable(app: FlowerApp, reference: str, came: str) -> EngineError:
    return EngineError(
        f"the app {app.name} must define {reference}",
        came=came,
        action=f"fix the app in {app.path}, or install what it imports",
    )
