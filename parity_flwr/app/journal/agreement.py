"""Whether a run that starts is the run that the journal knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from parity_flwr.core.canonical import dumps
from parity_flwr.core.records import RunHeader
from parity_flwr.errors import JournalError

_SAME = ("strategy", "inner", "seed", "model_hash", "config")


def continued(recorded: RunHeader, given: RunHeader) -> RunHeader:
    """Return the header with which a run goes on: the recorded one, perhaps longer.

    Raises
    ------
    JournalError
        The two are not the same run; the message says what differs.
    """
    for name in _SAME:
        for path, old, new in differences(getattr(recorded, name), getattr(given, name)):
            raise _disagreement(name + path, old, new)
    if given.num_rounds < recorded.num_rounds:
        raise _disagreement("num_rounds", recorded.num_rounds, given.num_rounds)
    return replace(recorded, num_rounds=given.num_rounds, environment=given.environment)


def differences(old: object, new: object) -> Iterator[tuple[str, str, str]]:
    """Yield path, old and new text of the leaves in which two plain values differ."""
    yield from _compare("", json.loads(dumps(old)), json.loads(dumps(new)))


def _compare(path: str, old: object, new: object) -> Iterator[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _compare(f"{path}.{name}", old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _compare(f"{path}[{index}]", one, other)
    elif old != new:
        yield path, json.dumps(old), json.dumps(new)


def _disagreement(name: str, old: object, new: object) -> JournalError:
    return JournalError(
        f"continuing this run needs {name} {old!s:.80}",
        came=f"{new!s:.80}",
        action="start it with the settings it had, or start a new run",
    )
