"""Submit an app with Flower's own command line, follow it, and ask how it ended."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from parity_flwr.app.engines.failure import one_line, root_cause_in_log
from parity_flwr.app.engines.flower_app import FlowerApp
from parity_flwr.app.engines.processes import program

_STARTED = re.compile(r"^Successfully started run (\d+)", re.MULTILINE)
_HEAD_BYTES = 1 << 16
_LOG_BYTES = 1 << 22
_STATUS_TIMEOUT_S = 60.0
_COMPLETED = "finished:completed"


@dataclass(frozen=True, kw_only=True)
class FlowerRun:
    """How a submitted run ended."""

    run_id: str | None  # None if it was never started
    completed: bool
    reason: str = ""  # why it failed, on one line
    input_error: bool = False  # what the user gave caused it


@dataclass(frozen=True, kw_only=True)
class FlowerCli:
    """Flower's command line with one connection.

    Parameters
    ----------
    connection : str
        Name of the connection in the Flower configuration of ``variables``' FLWR_HOME.
    variables : mapping
        Environment of the commands.
    folder : Path
        Where ``flower.log`` goes.
    """

    connection: str
    variables: Mapping[str, str]
    folder: Path

    @property
    def log(self) -> Path:
        """What the run printed and logged."""
        return self.folder / "flower.log"

    def run(
        self,
        app: FlowerApp,
        *,
        federation_config: str = "",
        on_started: Callable[[str], None] | None = None,
    ) -> FlowerRun:
        """Run the app to its end.

        Parameters
        ----------
        federation_config : str, optional
            As for ``flwr run --federation-config``.
        on_started : callable, optional
            Gets Flower's run id as soon as it is known.
        """
        command = [
            program("flwr", self.variables), "run", str(app.path), self.connection, "--stream",
            *self._run_config(app),
            *(["--federation-config", federation_config] if federation_config else []),
        ]  # fmt: skip
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.variables),
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            run_id = self._follow(process, offset, on_started)
        finally:
            _stop(process)
        return self._outcome(run_id, offset)

    def _run_config(self, app: FlowerApp) -> Sequence[str]:
        """Pass the overrides by file: Flower's parser cannot take every text."""
        if not app.overrides:
            return ()
        path = self.folder / "run-config.toml"
        path.write_text(tomli_w.dumps(dict(app.overrides)), encoding="utf-8")
        return "--run-config", str(path)

    def _follow(
        self,
        process: subprocess.Popen[bytes],
        offset: int,
        on_started: Callable[[str], None] | None,
    ) -> str | None:
        """Wait for the command's end; return the run id that it announced first."""
        run_id = None
        while run_id is None:
            ended = process.poll() is not None
            run_id = self._announced(offset)
            if ended:
                break
            time.sleep(0.1)
        if run_id is not None and on_started is not None:
            on_started(run_id)
        process.wait()
        return run_id

    def _announced(self, offset: int) -> str | None:
        match = _STARTED.search(self._text(offset, _HEAD_BYTES))
        return match[1] if match else None

    def _text(self, offset: int, limit: int) -> str:
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read(limit).decode("utf-8", errors="replace")

    def _outcome(self, run_id: str | None, offset: int) -> FlowerRun:
        if run_id is None:
            said = _complaint(self._text(offset, _HEAD_BYTES))
            return FlowerRun(run_id=None, completed=False, reason=said)
        status, details = self._status(run_id)
        if status == _COMPLETED:
            return FlowerRun(run_id=run_id, completed=True)
        size = self.log.stat().st_size
        cause = root_cause_in_log(self._text(max(offset, size - _LOG_BYTES), _LOG_BYTES))
        reason, input_error = cause or (one_line(details) or f"Flower says {status}", False)
        return FlowerRun(run_id=run_id, completed=False, reason=reason, input_error=input_error)

    def _status(self, run_id: str) -> tuple[str, str]:
        """Return Flower's status of the run and its details."""
        command = [
            program("flwr", self.variables), "ls", self.connection,
            "--run-id", run_id, "--format", "json",
        ]  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
            listing = subprocess.run(
                command, capture_output=True, env=dict(self.variables), cwd=self.folder,
                stdin=subprocess.DEVNULL, timeout=_STATUS_TIMEOUT_S, check=False,
            )  # fmt: skip
            for run in json.loads(listing.stdout)["runs"]:
                if run["run-id"] == run_id:
                    return str(run["status"]), str(run["status-details"])
        return "unknown", "the SuperLink went away before the run ended"


def _complaint(text: str) -> str:
    """Return the text of the last frame that Flower's command line drew, or its last line."""
    frame = text.rpartition("\u256d")[2]  # the upper left corner
    framed = [line.strip("\u2502 ") for line in frame.splitlines() if line[:1] == "\u2502"]
    if framed:
        return one_line(" ".join(framed))
    lines = [one_line(line) for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "flwr run printed nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
