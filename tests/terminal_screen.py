"""A pseudo-terminal to run a program in, and the screen that a person would see there."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from rich.cells import cell_len

_CODE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b\][^\x07]*\x07")


@dataclass
class Screen:
    """What a VT100 shows of some output: one cell a letter, lines wrapped at the width."""

    columns: int
    rows: int
    lines: list[list[str]] = field(default_factory=lambda: [[]])  # all, scrolled off or not
    row: int = 0  # of the cursor, from the first line ever
    column: int = 0
    wrapped: int = 0  # how often a line was too wide
    seen: int = 0  # the highest that the cursor ever went above the top of the window

    def resize(self, columns: int, rows: int) -> None:
        """Change the window as xterm does: lines stay, what is too wide is cut."""
        self.columns, self.rows = columns, rows
        self.lines = [line[:columns] for line in self.lines]
        self.column = min(self.column, columns - 1)

    def write(self, text: str) -> None:
        """Take output as the terminal does."""
        at = 0
        while at < len(text):
            code = _CODE.match(text, at)
            if code is not None:
                self._obey(code)
                at = code.end()
                continue
            self._put(text[at])
            at += 1

    def _put(self, letter: str) -> None:
        assert letter != "\x1b", "an escape sequence that this screen does not know"
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self._down()
        else:
            if self.column + cell_len(letter) > self.columns:
                self.wrapped += 1
                self._down()
                self.column = 0
            line = self.lines[self.row]
            line.extend(" " * (self.column + 1 - len(line)))
            line[self.column] = letter
            self.column += cell_len(letter)

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def _obey(self, code: re.Match[str]) -> None:
        count = int(code[2] or 1) if (code[2] or "1").isdigit() else 1
        if code[3] == "A":
            top = max(len(self.lines) - self.rows, 0)
            self.seen += self.row - count < top
            self.row = max(self.row - count, top)
        elif code[3] == "K":
            self.lines[self.row] = [] if code[2] == "2" else self.lines[self.row][: self.column]
        else:
            assert code[3] in {None, "m", "h", "l"}, code[0]

    @property
    def text(self) -> list[str]:
        """The lines, scrolled off or not."""
        return ["".join(line).rstrip() for line in self.lines]

    @property
    def window(self) -> list[str]:
        """The lines that are to be seen."""
        return self.text[-self.rows :]


def set_size(descriptor: int, columns: int, rows: int) -> None:
    """Give a pseudo-terminal its window size."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@dataclass
class Finished:
    """How a program in a pseudo-terminal ended."""

    code: int
    output: str  # all that came out of the terminal


def in_terminal(
    program: list[str] | Callable[[], object],
    *,
    columns: int = 80,
    rows: int = 24,
    env: Mapping[str, str] | None = None,
    on_output: Callable[[str, int], None] = lambda text, terminal: None,
    timeout_s: float = 120.0,
) -> Finished:
    """Run a program, or a function in a fork of this process, in a pseudo-terminal.

    `on_output` gets all output so far and the terminal's descriptor, whenever more comes: it
    may write to it or change its size.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        process, master = pty.fork()
    if process == 0:
        _be(program, columns, rows, env or {})
    got, ends = bytearray(), time.monotonic() + timeout_s
    try:
        while _read(master, got):
            on_output(got.decode("utf-8", "replace"), master)
            assert time.monotonic() < ends, got[-2000:]
    except BaseException:
        os.kill(process, signal.SIGKILL)
        raise
    finally:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os.close(master)
    return Finished(code, got.decode("utf-8", "replace"))


_OWN = frozenset({"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"})


def _be(
    program: list[str] | Callable[[], object], columns: int, rows: int, env: Mapping[str, str]
) -> NoReturn:
    """Become the program, in a process whose terminal is 0, 1 and 2."""
    try:
        set_size(0, columns, rows)
        for name in _OWN:
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm", **env})
        if not callable(program):
            os.execv(program[0], program)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        program()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 (nothing may return from a fork)
        traceback.print_exc(file=sys.__stderr__)
        os._exit(70)
    os._exit(0)


def _read(master: int, got: bytearray) -> bool:
    """Read what is there; False once the other side is closed."""
    if not select.select([master], [], [], 60.0)[0]:
        raise TimeoutError(bytes(got[-2000:]))
    try:
        data = os.read(master, 1 << 16)
    except OSError as error:
        if error.errno == errno.EIO:
            return False
        raise
    got += data
    return bool(data)
