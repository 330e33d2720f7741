"""Codecs between typed records and plain JSON values, made from type hints.

Nothing may be missing, left over or of another type; see :mod:`parity_flwr.core.scalars`
for the single values.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from parity_flwr.core.scalars import (
    ChoiceCodec,
    FloatCodec,
    MismatchError,
    ScalarCodec,
    checked_plain,
    checked_text,
)
from parity_flwr.errors import ParityError

MAX_DEPTH = 32
"""How deep plain data (a field of type Any) may nest."""


class Codec(Protocol):
    """Turns the values of one type into plain JSON values and back."""

    def write(self, value: object) -> object:
        """Return the plain value; MismatchError if `value` is not of the type."""
        ...

    def read(self, value: object) -> object:
        """Return the typed value; MismatchError if `value` is not its plain form."""
        ...


@cache
def codec_for(hint: Any) -> Codec:
    """Return the codec of a type hint; MismatchError if records cannot hold the type."""
    if hint is Any:
        return _Plain()
    if hint is float:
        return FloatCodec()
    if hint in (str, int, bool):
        return ScalarCodec(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return ChoiceCodec(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return _Record(hint, {f.name: codec_for(hints[f.name]) for f in fields(hint)})
    return _container(typing.get_origin(hint), typing.get_args(hint), hint)


def _container(origin: object, args: tuple[Any, ...], hint: object) -> Codec:
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _Items(codec_for(args[0]))
    if origin is tuple:
        return _Fixed(tuple(codec_for(arg) for arg in args))
    if origin is Mapping and args[0] is str:
        return _Table(codec_for(args[1]))
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and args[1] is type(None):
        return _Optional(codec_for(args[0]))
    raise MismatchError("a type that a record can hold", hint)


@dataclass(frozen=True)
class _Optional:
    inner: Codec

    def write(self, value: object) -> object:
        return None if value is None else self.inner.write(value)

    def read(self, value: object) -> object:
        return None if value is None else self.inner.read(value)


@dataclass(frozen=True)
class _Items:
    inner: Codec

    def write(self, value: object) -> object:
        return _each(_expect(value, tuple), self.inner.write)

    def read(self, value: object) -> object:
        return tuple(_each(_expect(value, list), self.inner.read))


@dataclass(frozen=True)
class _Fixed:
    parts: tuple[Codec, ...]

    def write(self, value: object) -> object:
        items = self._whole(_expect(value, tuple))
        return [part.write(item) for part, item in zip(self.parts, items, strict=True)]

    def read(self, value: object) -> object:
        items = self._whole(_expect(value, list))
        return tuple(part.read(item) for part, item in zip(self.parts, items, strict=True))

    def _whole(self, items: typing.Sequence[object]) -> typing.Sequence[object]:
        if len(items) != len(self.parts):
            raise MismatchError(f"{len(self.parts)} items", items)
        return items


@dataclass(frozen=True)
class _Table:
    inner: Codec

    def write(self, value: object) -> object:
        return _pairs(value, self.inner.write)

    def read(self, value: object) -> object:
        return _pairs(value, self.inner.read)


@dataclass(frozen=True, eq=False)
class _Record:
    cls: type
    parts: Mapping[str, Codec]

    def write(self, value: object) -> object:
        if type(value) is not self.cls:
            raise MismatchError(f"a {self.cls.__name__}", value)
        return self._convert(
            (name, codec.write, getattr(value, name)) for name, codec in self.parts.items()
        )

    def read(self, value: object) -> object:
        plain = _expect(value, dict)
        if plain.keys() != self.parts.keys():
            raise self._wrong_fields(plain)
        typed = self._convert((name, self.parts[name].read, plain[name]) for name in plain)
        try:
            return self.cls(**typed)
        except ParityError as error:  # a range that __post_init__ checks
            raise MismatchError(error.needed, value, came=error.came) from None

    @staticmethod
    def _convert(
        parts: Iterable[tuple[str, Callable[[object], object], object]],
    ) -> dict[str, object]:
        done: dict[str, object] = {}
        for name, convert, value in parts:
            try:
                done[name] = convert(value)
            except MismatchError as error:
                raise error.under(name) from None
        return done

    def _wrong_fields(self, plain: dict[str, object]) -> MismatchError:
        odd = min(plain.keys() ^ self.parts.keys())
        came = ("none named " if odd in self.parts else "an unknown ") + ascii(odd[:60])
        return MismatchError(f"exactly the fields of {self.cls.__name__}", plain, came=came)


@dataclass(frozen=True)
class _Plain:
    """Any: plain data. Lists come back as tuples, records within as mappings."""

    depth: int = 0

    def write(self, value: object) -> object:
        if is_dataclass(value) and not isinstance(value, type):
            return codec_for(type(value)).write(value)
        if isinstance(value, Mapping):
            return _pairs(value, self._deeper().write)
        if isinstance(value, (list, tuple)):
            return _each(value, self._deeper().write)
        return checked_plain(value)

    def read(self, value: object) -> object:
        if isinstance(value, dict):
            return _pairs(value, self._deeper().read)
        if isinstance(value, list):
            return tuple(_each(value, self._deeper().read))
        return checked_plain(value)

    def _deeper(self) -> _Plain:
        if self.depth == MAX_DEPTH:
            raise MismatchError(f"at most {MAX_DEPTH} levels", None, came="more")
        return _Plain(self.depth + 1)


def _expect(value: object, kind: type) -> Any:
    if not isinstance(value, kind):
        raise MismatchError(f"a {kind.__name__}", value)
    return value


def _each(values: Iterable[object], convert: Callable[[object], object]) -> list[object]:
    done: list[object] = []
    for index, value in enumerate(values):
        try:
            done.append(convert(value))
        except MismatchError as error:
            raise error.under(index) from None
    return done


def _pairs(values: object, convert: Callable[[object], object]) -> dict[str, object]:
    done: dict[str, object] = {}
    for key, value in _expect(values, Mapping).items():
        try:
            done[checked_text(_expect(key, str))] = convert(value)
        except MismatchError as error:
            raise error.under(key) from None
    return done
