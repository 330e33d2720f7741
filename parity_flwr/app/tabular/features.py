"""Columns as one matrix of numbers, by rules that all clients learn from sums alone.

Each client surveys its own rows: for a numeric column n, the sum and the sum of squares, for
a column of texts how often each occurs. Only these sums leave it. They are exact, not
private: a level that one person has is seen by the server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.tabular.reading import Numbers, RawTable, Texts
from parity_flwr.errors import ConfigError

OTHER = "other"
MOST_LEVELS = 20
"""Levels of a column that get an input of their own; the rest share one."""

_LEAST_COUNT = 5  # a level rarer than this, over all clients, is "other"


@dataclass(frozen=True)
class NumberSums:
    """What a client says of a numeric column: how many values, their sum, their squares'."""

    count: int
    total: float
    squares: float
    missing: int

    def __add__(self, more: NumberSums) -> NumberSums:
        """Return the sums over both clients' rows."""
        return NumberSums(
            self.count + more.count,
            self.total + more.total,
            self.squares + more.squares,
            self.missing + more.missing,
        )


@dataclass(frozen=True)
class LevelCounts:
    """What a client says of a column of texts: how often each occurs."""

    counts: Mapping[str, int]
    missing: int

    def __add__(self, more: LevelCounts) -> LevelCounts:
        """Return the counts over both clients' rows."""
        return LevelCounts(
            Counter(self.counts) + Counter(more.counts), self.missing + more.missing
        )


Survey = Mapping[str, NumberSums | LevelCounts]


def survey(table: RawTable) -> dict[str, NumberSums | LevelCounts]:
    """Return what one client tells of its own rows.

    Examples
    --------
    >>> survey(RawTable({"age": np.array([1.0, np.nan, 3.0])}))["age"]
    NumberSums(count=2, total=4.0, squares=10.0, missing=1)
    """
    return {name: _survey(column) for name, column in table.columns.items()}


def _survey(column: Numbers | Texts) -> NumberSums | LevelCounts:
    if column.dtype == object:
        seen = [each for each in column.tolist() if each is not None]
        return LevelCounts(Counter(seen), len(column) - len(seen))
    values = column[~np.isnan(column)]
    return NumberSums(
        len(values), float(values.sum()), float((values**2).sum()), len(column) - len(values)
    )


@dataclass(frozen=True)
class NumberRule:
    """(x - mean) / scale, 0 where missing, and beside it 1 if missing where that happens.

    What is further from 0 than ``limit`` is cut.
    """

    mean: float
    scale: float
    marked: bool
    limit: float = 1e6

    def columns(self, values: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the inputs of a column."""
        missing = np.isnan(values)
        filled = np.where(missing, self.mean, values)
        cut = np.clip((filled - self.mean) / self.scale, -self.limit, self.limit)
        scaled = np.asarray(cut, np.float32)
        return [scaled, missing.astype(np.float32)] if self.marked else [scaled]


@dataclass(frozen=True)
class LevelRule:
    """One input for each frequent level, and one for all others, missing ones included."""

    levels: tuple[str, ...]

    def columns(self, values: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Return the inputs of a column."""
        places = {level: k for k, level in enumerate(self.levels)}
        which = np.array([places.get(each, len(places)) for each in values.tolist()], np.int64)
        return [(which == k).astype(np.float32) for k in range(len(self.levels) + 1)]


@dataclass(frozen=True)
class Encoder:
    """How every client turns its columns into inputs.

    Parameters
    ----------
    rules : mapping of str to NumberRule or LevelRule
        In the order of the columns.
    dropped : tuple of str
        Columns that say nothing: the same value everywhere, or only rare ones.
    """

    rules: Mapping[str, NumberRule | LevelRule]
    dropped: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Return the name of each input."""
        return tuple(each for name, rule in self.rules.items() for each in _names(name, rule))

    def split(self, name: str) -> tuple[NumberRule | LevelRule | None, Encoder]:
        """Return one column's rule, None if there is none, and an encoder of the others."""
        rest = {key: rule for key, rule in self.rules.items() if key != name}
        dropped = tuple(each for each in self.dropped if each != name)
        return self.rules.get(name), Encoder(rest, dropped)

    def ranges(self, deviations: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where inputs can lie: numbers within deviations, marks in [0, 1]."""
        spans = [
            (-deviations, deviations) if k == 0 and isinstance(rule, NumberRule) else (0.0, 1.0)
            for name, rule in self.rules.items()
            for k, _ in enumerate(_names(name, rule))
        ]
        low, high = np.array(spans, np.float64).T
        return low, high

    def encode(self, table: RawTable) -> NDArray[np.float32]:
        """Return the inputs, float32, shape (n, inputs), all finite."""
        columns = [
            each
            for name, rule in self.rules.items()
            for each in rule.columns(table.columns[name])
        ]
        return np.ascontiguousarray(np.stack(columns, axis=1), np.float32)


def _names(name: str, rule: NumberRule | LevelRule) -> list[str]:
    if isinstance(rule, NumberRule):
        return [name, f"{name} missing"] if rule.marked else [name]
    return [f"{name}={level}" for level in (*rule.levels, OTHER)]


def learn_encoder(surveys: Sequence[Survey]) -> Encoder:
    """Return the rules that follow from all clients' sums.

    Numbers are standardised; a missing one is the mean, and if any client misses any, a
    second input says so. Texts get an input for each of the 20 most frequent levels that
    occur 5 times or more, and one for the others.

    Raises
    ------
    ConfigError
        If no column says anything.

    Examples
    --------
    >>> client = RawTable({"x": np.array([0.0, 2.0]), "y": np.array([7.0, 7.0])})
    >>> encoder = learn_encoder([survey(client), survey(client)])
    >>> encoder.names, encoder.dropped, encoder.encode(client)[:, 0].tolist()
    (('x',), ('y',), [-1.0, 1.0])
    """
    rules: dict[str, NumberRule | LevelRule] = {}
    dropped = []
    for name in surveys[0]:
        rule = _rule([each[name] for each in surveys])
        if rule is None:
            dropped.append(name)
        else:
            rules[name] = rule
    if not rules:
        raise ConfigError(
            "a model needs a column that varies", came="none", action="give other data"
        )
    return Encoder(rules, tuple(dropped))


def _rule(told: Sequence[NumberSums | LevelCounts]) -> NumberRule | LevelRule | None:
    whole: Any = told[0]
    for each in told[1:]:
        whole = whole + each
    return _number_rule(whole) if isinstance(whole, NumberSums) else _level_rule(whole)


def _number_rule(sums: NumberSums) -> NumberRule | None:
    if not sums.count:
        return None
    mean = sums.total / sums.count
    variance = sums.squares / sums.count - mean**2
    # What is left of squares that cancel is no spread.
    varies = variance > 1e-12 * max(sums.squares / sums.count, 1e-300)
    if not varies and not sums.missing:
        return None
    return NumberRule(mean, float(np.sqrt(variance)) if varies else 1.0, sums.missing > 0)


def _level_rule(counts: LevelCounts) -> LevelRule | None:
    ranked = sorted(counts.counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [level for level, count in ranked[:MOST_LEVELS] if count >= _LEAST_COUNT]
    rest = counts.missing + sum(counts.counts.values()) - sum(counts.counts[k] for k in kept)
    if not kept or (len(kept) == 1 and not rest):
        return None
    return LevelRule(tuple(kept))
