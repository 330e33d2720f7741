"""The one line that says why something foreign broke."""

from __future__ import annotations

import re

from parity_flwr import errors
from parity_flwr.errors import InputError, ParityError

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_RAISED = re.compile(r"raised an exception *$", re.MULTILINE)
_LOG_LINE = re.compile(r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) *:", re.MULTILINE)
_OURS = "parity_flwr.errors."
_MAX_CHARS = 500


def root_cause(error: BaseException) -> str:
    r"""Return what started the chain of exceptions: an error of ours, else the innermost.

    Examples
    --------
    >>> root_cause(ValueError("no such\nthing"))
    'ValueError: no such thing'
    """
    chain = [error]
    while (before := chain[-1].__cause__ or _context(chain[-1])) and before not in chain:
        chain.append(before)
    ours = [link for link in chain if isinstance(link, ParityError)]
    return one_line(str(ours[0])) if ours else _named(chain[-1])


def is_input_error(error: BaseException) -> bool:
    """Return whether the user's own input caused the chain of exceptions."""
    if isinstance(error, ParityError):
        return isinstance(error, InputError)
    before = error.__cause__ or _context(error)
    return before is not None and is_input_error(before)


def root_cause_in_log(text: str) -> tuple[str, bool] | None:
    """Return the cause in the last traceback of a Flower app, and whether it is input.

    None if the log holds no such traceback. Tracebacks of clients, which a strategy
    survives, are passed over.
    """
    text = _ANSI.sub("", text)
    raised = list(_RAISED.finditer(text))
    if not raised:
        return None
    trace = text[raised[-1].end() :]
    log_line = _LOG_LINE.search(trace)
    links = _exceptions(trace[: log_line.start() if log_line else None].splitlines())
    ours = [link for link in links if link.startswith(_OURS)]
    if ours:
        name, _, message = ours[-1].removeprefix(_OURS).partition(": ")
        kind = getattr(errors, name, ParityError)
        return one_line(message or name), issubclass(kind, InputError)
    return (one_line(links[0]), False) if links else None


def one_line(text: str) -> str:
    """Return the text on one line, without colours, at most 500 characters."""
    line = " ".join(_ANSI.sub("", text).split())
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 3]}..."


def _exceptions(lines: list[str]) -> list[str]:
    """Return the line that ends each traceback; Python prints the innermost one first."""
    found, inside = [], False
    for line in lines:
        if line.startswith("Traceback "):
            inside = True
        elif inside and line and not line[0].isspace():
            found.append(line)
            inside = False
    return found


def _context(error: BaseException) -> BaseException | None:
    return None if error.__suppress_context__ else error.__context__


def _named(error: BaseException) -> str:
    text = str(error).strip()
    return one_line(f"{type(error).__name__}: {text}" if text else type(error).__name__)
