"""Reading and loading Flower apps: Flower's rules, clear refusals, no traces left."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from flwr.app.user_config import UserConfigValue
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.app.engines.failure import root_cause, root_cause_in_log
from parity_flwr.app.engines.flower_app import FlowerApp, loaded, parse_overrides, read_app
from parity_flwr.errors import ConfigError, DataError, EngineError

TINY = Path(__file__).parent / "apps" / "tiny"
DEFAULTS: dict[str, UserConfigValue] = {
    "rounds": 3,
    "lr": 0.5,
    "name": "x",
    "fast": True,
    "optimizer.beta": 0.9,
}


def write_app(folder: Path, *, server: str = "", client: str = "", config: str = "") -> Path:
    """Write an app whose package is called ``sameapp``."""
    package = folder / "sameapp"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "task.py").write_text(f"WHERE = {folder.name!r}\n")
    (package / "server_app.py").write_text(
        server
        or "from flwr.serverapp import ServerApp\nfrom sameapp.task import WHERE\n"
        "app = ServerApp()\n"
    )
    (package / "client_app.py").write_text(
        client or "from flwr.clientapp import ClientApp\napp = ClientApp()\n"
    )
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "same"\nversion = "1.0"\n[tool.flwr.app]\npublisher = "me"\n'
        '[tool.flwr.app.components]\nserverapp = "sameapp.server_app:app"\n'
        f'clientapp = "sameapp.client_app:app"\n{config}'
    )
    return folder


def test_an_app_is_read_with_its_overrides() -> None:
    app = read_app(TINY, ["num-server-rounds=5 fault='none'", "scale=2"])
    assert app == FlowerApp(
        path=TINY.resolve(),
        name="tiny",
        serverapp="tinyapp.server_app:app",
        clientapp="tinyapp.client_app:app",
        run_config={
            "num-server-rounds": 5,
            "num-clients": 2,
            "output": "",
            "fault": "none",
            "scale": 2.0,
        },
        overrides={"num-server-rounds": 5, "fault": "none", "scale": 2.0},
    )
    assert isinstance(app.run_config["scale"], float)


def test_overrides_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "more.toml"
    path.write_text("rounds = 7\n[optimizer]\nbeta = 1\n")
    assert parse_overrides([str(path)], defaults=DEFAULTS) == {
        "rounds": 7,
        "optimizer.beta": 1.0,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rounds=4", {"rounds": 4}),
        ("rounds=0.5", {"rounds": 0.5}),
        ("fast=false lr=1", {"fast": False, "lr": 1.0}),
        ("name='two words'", {"name": "two words"}),
        ("optimizer.beta=0.1", {"optimizer.beta": 0.1}),
        ("", {}),
    ],
)
def test_an_override_is_toml(text: str, expected: dict[str, object]) -> None:
    assert parse_overrides([text], defaults=DEFAULTS) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("round=4", "got 'round'; did you mean 'rounds'"),
        ("zzz=4", r"got 'zzz'; see the app's \[tool.flwr.app.config\]"),
        ("rounds='four'", "'rounds' needs a number like 3; got 'four'"),
        ("rounds=true", "'rounds' needs a number like 3; got True"),
        ("fast=1", "'fast' needs a bool like True; got 1"),
        ("name=5", "'name' needs a text like 'x'; got 5"),
        ("name=alice", "the form key=value with a TOML value; got 'name=alice'"),
        ("rounds", "the form key=value with a TOML value; got 'rounds'"),
        ("rounds=4 and more", "the form key=value with a TOML value"),
        ("rounds=[1]", "the form key=value with a TOML value"),
        ("absent.toml", "the form key=value with a TOML value; got 'absent.toml'"),
        (f"rounds={2**63}", "'rounds' needs an integer of 64 bits; got 9.22e"),
    ],
)
def test_a_bad_override_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_overrides([text], defaults=DEFAULTS)
    assert caught.value.exit_code == 2


@given(st.lists(st.text(max_size=30), max_size=3))
def test_an_override_is_refused_or_understood(texts: list[str]) -> None:
    found: dict[str, UserConfigValue] = {}
    with contextlib.suppress(ConfigError):
        found = parse_overrides(texts, defaults=DEFAULTS)
    assert set(found) <= set(DEFAULTS)


HEAD = "[project]\nname='a'\nversion='1'\n[tool.flwr.app]\npublisher='p'\n"
PARTS = f"{HEAD}[tool.flwr.app.components]\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", r"Missing \[project\] section; Missing \[tool.flwr.app\] section"),
        ("[project", "TOMLDecodeError"),
        ("project = 5", "valid .*pyproject.toml; got"),
        (HEAD, "components"),
        (f"{PARTS}agentapp='a:b'", "no serverapp in"),
        (f"{PARTS}serverapp='flwr.x:app'\nclientapp='b:app'", "'flwr', which it would hide"),
        (
            f"{PARTS}serverapp='b:app'\nclientapp='b:app'\n[tool.flwr.app.config]\nx=[1]",
            "The value for key x",
        ),
    ],
)
def test_what_is_no_app_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_app(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_huge_pyproject_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("#" * (1 << 20) + "\n")
    with pytest.raises(ConfigError, match="more than 1048576 bytes"):
        read_app(tmp_path)


def test_loading_leaves_no_trace(tmp_path: Path) -> None:
    app = read_app(write_app(tmp_path / "one"))
    path, modules = list(sys.path), set(sys.modules)
    with loaded(app) as (server_app, client_app):
        assert isinstance(server_app, ServerApp)
        assert isinstance(client_app, ClientApp)
        assert sys.path[0] == str(app.path)
        assert "sameapp.task" in sys.modules
    assert sys.path == path
    assert set(sys.modules) == modules
    assert not list(app.path.rglob("__pycache__"))


def test_two_apps_of_one_name_do_not_mix(tmp_path: Path) -> None:
    first, second = (read_app(write_app(tmp_path / name)) for name in ("one", "two"))
    seen = []
    for app in (first, second, first):
        with loaded(app):
            seen.append(sys.modules["sameapp.task"].WHERE)
    assert seen == ["one", "two", "one"]


def test_modules_that_were_there_come_back(tmp_path: Path) -> None:
    inner, outer = (read_app(write_app(tmp_path / name)) for name in ("inner", "outer"))
    with loaded(outer):
        before = sys.modules["sameapp.task"]
        with loaded(inner):
            assert sys.modules["sameapp.task"].WHERE == "inner"
        with pytest.raises(ZeroDivisionError), loaded(inner):
            _ = 1 / 0
        assert sys.modules["sameapp.task"] is before


def test_an_installed_module_is_not_replaced(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "one")
    (folder / "numpy.py").write_text("raise RuntimeError('shadowed')\n")
    import numpy as np

    with loaded(read_app(folder)):
        assert sys.modules["numpy"] is np
    assert sys.modules["numpy"] is np


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("app = 5\n", "int, which is no ServerApp"),
        ("other = 5\n", "Unable to load attribute app|has no attribute"),
        ("app = (\n", "SyntaxError"),
        ("raise SystemExit(4)\n", "SystemExit: 4"),
    ],
)
def test_an_app_that_cannot_be_loaded(tmp_path: Path, server: str, message: str) -> None:
    app = read_app(write_app(tmp_path / "one", server=server))
    with pytest.raises(EngineError, match=message) as caught, loaded(app):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert "sameapp" not in sys.modules


def test_our_own_errors_pass_through(tmp_path: Path) -> None:
    server = (
        "from parity_flwr.errors import ConfigError\n"
        "raise ConfigError('a needs b', came='c', action='d')\n"
    )
    app = read_app(write_app(tmp_path / "one", server=server))
    with pytest.raises(ConfigError, match="a needs b; got c; d"), loaded(app):
        pass


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (ValueError(), "ValueError"),
        (chained(RuntimeError("wrapper"), OSError("disk full")), "OSError: disk full"),
        (
            chained(DataError("a needs b", came="c", action="d"), OSError("disk full")),
            "a needs b; got c; d",
        ),
        (
            chained(RuntimeError("wrapper"), DataError("a needs b", came="c", action="d")),
            "a needs b; got c; d",
        ),
        (ValueError("x" * 9999), "ValueError: " + "x" * 485 + "..."),
    ],
)
def test_the_root_cause_is_one_line(error: Exception, expected: str) -> None:
    assert root_cause(error) == expected


LOG = """\
\x1b[92mINFO \x1b[0m:      [ROUND 1/2]
\x1b[91mERROR \x1b[0m:     Traceback (most recent call last):
  File "a.py", line 1, in worker
ValueError: a client broke, and the strategy survived it
\x1b[91mERROR \x1b[0m:     Simulation raised an exception
Traceback (most recent call last):
  File "b.py", line 1, in main
OSError: no space left

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "c.py", line 337, in run_simulation_process
    ^^^^^^^^^^^^^^^^
{last}
\x1b[91mERROR \x1b[0m:     Exit Code: 700
Traceback (most recent call last):
NotThis: one
"""


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("RuntimeError: it ended", ("OSError: no space left", False)),
        ("parity_flwr.errors.ConfigError: a needs b; got c; d", ("a needs b; got c; d", True)),
        ("parity_flwr.errors.JournalError: a; got c; d", ("a; got c; d", False)),
    ],
)
def test_the_root_cause_is_found_in_a_log(last: str, expected: tuple[str, bool]) -> None:
    assert root_cause_in_log(LOG.format(last=last)) == expected


@pytest.mark.parametrize("log", ["", "INFO : all is well", "ERROR: it raised an exception"])
def test_a_log_without_a_traceback_has_no_cause(log: str) -> None:
    assert root_cause_in_log(log) is None
