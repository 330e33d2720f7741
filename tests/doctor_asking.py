"""Asking the doctor, here and in processes in which something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from parity_flwr.cli.main import execute

Found = dict[str, dict[str, str]]


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> Found:
    """Return the doctor's checks by name, after it ended with this code."""
    assert execute(["doctor", "--json", *arguments]) == code, capsys.readouterr()
    return checks(capsys.readouterr().out)


def checks(text: str) -> Found:
    """Return the checks of the doctor's JSON by name."""
    result: dict[str, Any] = json.loads(text)
    found = {each["name"]: each for each in result["checks"]}
    assert result["ok"] is all(each["status"] != "fail" for each in found.values())
    assert all(each["action"] for each in found.values() if each["status"] != "ok")
    return found


def ask_process(
    *arguments: str,
    code: int,
    before: Sequence[str] = (),
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Found:
    """Ask a doctor in a process of its own, with something done before."""
    command = [
        *before,
        sys.executable,
        *flags,
        "-m",
        "parity_flwr.cli.main",
        "doctor",
        "--json",
    ]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == code, done
    return checks(done.stdout)


def installed_without(folder: Path, *prefixes: str) -> dict[str, str]:
    """Return the environment of an installation that lacks what begins with a prefix."""
    folder.mkdir()
    others = []
    for entry in dict.fromkeys(sys.path):
        if "site-packages" not in entry:
            others.append(entry)
            continue
        for path in Path(entry).iterdir():
            link = folder / path.name
            if not path.name.startswith(prefixes) and not link.is_symlink():
                link.symlink_to(path)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, others)])}


@contextmanager
def clock_server(ahead_s: float) -> Iterator[str]:
    """Serve on loopback with a clock that is so much ahead."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            self.send_error(404)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + ahead_s, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
