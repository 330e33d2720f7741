"""How single values pass between records and JSON, strictly typed both ways.

A ``bool`` is no ``int``, an ``int`` in the JSON is no ``float``, NaN is no value at all.
"""

from __future__ import annotations

import math
from collections.abc import Sized
from dataclasses import dataclass
from enum import StrEnum

MAX_INTEGER_BITS = 256
"""The largest integers are the chain's; Python's own have no bound and JSON's none either."""

_EXACT_FLOATS = 1 << 53  # every int up to here is a float without rounding


class MismatchError(Exception):
    """A value is not of its type; the path to it grows while the error rises."""

    def __init__(self, needed: str, value: object, *, came: str = "") -> None:
        super().__init__(needed)
        self.needed = needed
        self.came = came or brief(value)
        self.path: tuple[str, ...] = ()

    def under(self, step: object) -> MismatchError:
        """Return the error as seen from one level above."""
        self.path = (str(step), *self.path)
        return self


def brief(value: object) -> str:
    """Describe any value, however large or hostile, in at most 80 ASCII characters."""
    kind = type(value).__name__
    if isinstance(value, (str, bytes)):
        return f"{kind} {ascii(value[:60])[:60]}"
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        return f"{kind} of {value.bit_length()} bits"
    if isinstance(value, Sized):
        return f"{kind} of length {len(value)}"
    return f"{kind} {ascii(value)[:60]}"[:80]


def checked_text(value: str) -> str:
    """Return a plain str; MismatchError for lone surrogates, which no store can hold."""
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise MismatchError("text that UTF-8 can hold", value) from None
    return str(value)


def checked_integer(value: object) -> int:
    """Return a plain int; MismatchError for a bool or more than 256 bits."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise MismatchError("an int", value)
    if value.bit_length() > MAX_INTEGER_BITS:
        raise MismatchError(f"an int of at most {MAX_INTEGER_BITS} bits", value)
    return int(value)


def checked_float(value: object) -> float:
    """Return a plain float; MismatchError for an int, NaN or infinity."""
    if not isinstance(value, float) or not math.isfinite(value):
        raise MismatchError("a finite float", value)
    return float(value)


def checked_plain(value: object) -> object:
    """Return a str, bool, int, float or None; MismatchError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return checked_text(value)
    if isinstance(value, float):
        return checked_float(value)
    if isinstance(value, int):
        return checked_integer(value)
    raise MismatchError("plain data", value)


@dataclass(frozen=True)
class ScalarCodec:
    """str, bool or int."""

    kind: type

    def read(self, value: object) -> object:
        """Return the value itself if it is of the kind."""
        if self.kind is int:
            return checked_integer(value)
        if not isinstance(value, self.kind):
            raise MismatchError(f"a {self.kind.__name__}", value)
        return checked_plain(value)

    write = read


class FloatCodec:
    """A finite float."""

    def write(self, value: object) -> object:
        """Return the float; an int that a float holds exactly becomes one."""
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value) if abs(value) <= _EXACT_FLOATS else self.read(value)
        return self.read(value)

    def read(self, value: object) -> object:
        """Return the float; an int is refused."""
        return checked_float(value)


@dataclass(frozen=True)
class ChoiceCodec:
    """A StrEnum."""

    kind: type[StrEnum]

    def write(self, value: object) -> object:
        """Return the member's text."""
        if not isinstance(value, self.kind):
            raise MismatchError(f"a {self.kind.__name__}", value)
        return value.value

    def read(self, value: object) -> object:
        """Return the member with this text."""
        if not isinstance(value, str) or value not in {str(member) for member in self.kind}:
            raise MismatchError(f"one of {', '.join(self.kind)}", value)
        return self.kind(value)
