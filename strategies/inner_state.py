"""What an inner strategy remembers between rounds: its server optimiser, as arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError
from parity_flwr.strategies.inner import wrapped

_Value = NDArray[Any]
_KINDS: Mapping[str, type] = {
    "array": np.ndarray,
    "record": ArrayRecord,
    "dict": dict,
    "list": list,
}


@dataclass(frozen=True)
class Snapshot:
    """A strategy's attributes at one moment, to go back to if aggregation fails.

    Only the attributes are held, not copies of the arrays: strategies replace those.
    """

    held: tuple[tuple[Strategy, Mapping[str, object]], ...]

    @classmethod
    def of(cls, inner: Strategy) -> Snapshot:
        """Return the snapshot of a strategy and of those it wraps."""
        return cls(tuple((each, dict(vars(each))) for _, each in _chain(inner)))

    def restore(self) -> None:
        """Put every attribute back."""
        for strategy, attributes in self.held:
            vars(strategy).clear()
            vars(strategy).update(attributes)


def _chain(inner: Strategy, prefix: str = "") -> Iterator[tuple[str, Strategy]]:
    """Return the strategy and those it wraps, each with its attribute path and a dot."""
    yield prefix, inner
    for name, each in wrapped(inner).items():
        yield from _chain(each, f"{prefix}{name}.")


def save_state(inner: Strategy) -> dict[str, _Value]:
    """Return the arrays that a strategy keeps between rounds, by ``kind|attribute|i|key``.

    Covers arrays, lists and dicts of arrays and ArrayRecords among the attributes, which is
    where Flower's strategies keep their server optimiser (``m_t``, ``v_t``,
    ``momentum_vector``, ``current_arrays``), and the same of a strategy that it wraps.
    Numbers are options, not state, and come from the strategy that resumes.
    """
    return {
        path: array
        for prefix, strategy in _chain(inner)
        for name, value in vars(strategy).items()
        for path, array in _flatten(f"{prefix}{name}", value)
    }


def _flatten(name: str, value: object) -> Iterable[tuple[str, _Value]]:
    if isinstance(value, ArrayRecord):
        parts = {key: array.numpy() for key, array in value.items()}
        return _numbered("record", name, parts)
    if isinstance(value, dict) and _all_arrays(value.values()):
        return _numbered("dict", name, value)
    if isinstance(value, list) and _all_arrays(value):
        return _numbered("list", name, dict(enumerate(value)))
    return _numbered("array", name, {"": value}) if isinstance(value, np.ndarray) else ()


def _numbered(
    kind: str, name: str, parts: Mapping[Any, _Value]
) -> Iterator[tuple[str, _Value]]:
    for index, (key, array) in enumerate(parts.items()):
        yield f"{kind}|{name}|{index}|{key}", np.asarray(array)


def _all_arrays(values: Collection[object]) -> bool:
    # Arithmetic on arrays without dimensions (a batch counter) leaves numpy scalars.
    return len(values) > 0 and all(isinstance(v, np.ndarray | np.generic) for v in values)


def load_state(inner: Strategy, saved: Mapping[str, _Value]) -> None:
    """Put back what :func:`save_state` returned.

    Raises
    ------
    ConfigError
        If the strategy has no such attribute: it is not the one that was saved.
    """
    strategies = dict(_chain(inner))
    for (kind, path), parts in _grouped(saved).items():
        prefix, dot, name = path.rpartition(".")
        owner = strategies.get(prefix + dot)
        if owner is None or not _takes(owner, kind, name):
            raise _another(inner, path)
        setattr(owner, name, _rebuild(kind, parts))


def _takes(owner: Strategy, kind: str, name: str) -> bool:
    """Return whether the attribute is there and holds such state, or none yet."""
    if kind not in _KINDS or name not in vars(owner):
        return False
    current = vars(owner)[name]
    return current is None or isinstance(current, _KINDS[kind])


def _grouped(saved: Mapping[str, _Value]) -> Mapping[tuple[str, str], dict[str, _Value]]:
    """Return the arrays of each attribute by key, in their order."""
    numbered: dict[tuple[str, str], list[tuple[int, str, _Value]]] = {}
    for path, array in saved.items():
        kind, _, rest = path.partition("|")
        name, _, rest = rest.partition("|")
        index, _, key = rest.partition("|")
        order = int(index) if index.isdecimal() and len(index) < 10 else 0
        numbered.setdefault((kind, name), []).append((order, key, array))
    return {
        each: {key: array for _, key, array in sorted(parts, key=lambda part: part[0])}
        for each, parts in numbered.items()
    }


def _another(inner: Strategy, path: str) -> ConfigError:
    return ConfigError(
        "resuming needs the strategy that the run was started with",
        came=f"{type(inner).__name__} without the state {path[:60]!r}",
        action="use the same inner strategy",
    )


def _rebuild(kind: str, parts: Mapping[str, _Value]) -> object:
    if kind == "record":
        return ArrayRecord({key: Array(np.asarray(array)) for key, array in parts.items()})
    if kind == "dict":
        return dict(parts)
    return list(parts.values()) if kind == "list" else next(iter(parts.values()))
