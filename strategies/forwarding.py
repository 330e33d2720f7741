"""Copies of the accepted replies as the inner strategy gets them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from parity_flwr.strategies.gate import Arrays, Metrics, Passed

Value = int | float | list[int] | list[float]


def forward(
    replies: Sequence[tuple[Message, Passed]],
    weights: Sequence[float],
    *,
    weight_key: str,
    arrays_key: str,
) -> list[Message]:
    """Return a copy of each reply whose n_k is c_k times the round's total.

    Strategies that average get the weights this way; those that ignore weights (Krum,
    median) get the filtered replies. The copies share the arrays' bytes, not the containers,
    so that a strategy may take them apart. Metrics are made uniform, because one client's
    missing key would end a Flower run; integer arrays (counters) become their coordinate-wise
    median, because a mean of them means nothing and one liar could move it anywhere.
    """
    total = float(sum(passed.num_examples for _, passed in replies))
    metrics = uniform_metrics([passed.metrics for _, passed in replies], skip=weight_key)
    counters = _median_counters([passed.arrays for _, passed in replies])
    return [
        _copy(
            message,
            RecordDict(
                {
                    arrays_key: _arrays(message, passed, counters),
                    "metrics": MetricRecord({weight_key: weight * total, **values}),
                }
            ),
        )
        for (message, passed), weight, values in zip(replies, weights, metrics, strict=True)
    ]


def forward_metrics(
    messages: Sequence[Message],
    metrics: Sequence[Metrics],
    examples: Sequence[float],
    *,
    weight_key: str,
) -> list[Message]:
    """Return a copy of each message that holds uniform metrics and the given n_k only."""
    uniform = uniform_metrics(metrics, skip=weight_key)
    return [
        _copy(message, RecordDict({"metrics": MetricRecord({weight_key: n, **values})}))
        for message, n, values in zip(messages, examples, uniform, strict=True)
    ]


def anchor(message: Message, base: ArrayRecord, arrays: Arrays) -> tuple[Message, Passed]:
    """Return a reply that votes for the model as it was.

    It takes the weight that the paper's un-normalised Eq. 2 leaves over, so that an inner
    strategy, which normalises, still computes w + sum_k c_k delta_k.
    """
    return _copy(message, RecordDict({"arrays": base})), Passed(arrays, 0)


def _copy(message: Message, content: RecordDict) -> Message:
    twin = copy.copy(message)
    twin.content = content
    return twin


def _arrays(message: Message, passed: Passed, counters: Mapping[str, Array]) -> ArrayRecord:
    sent = next(iter(message.content.array_records.values()))
    return ArrayRecord({name: counters.get(name) or sent[name] for name in passed.arrays})


def _median_counters(models: Sequence[Arrays]) -> dict[str, Array]:
    if not models:
        return {}
    names = [name for name, array in models[0].items() if array.dtype.kind != "f"]
    return {name: Array(lower_median([model[name] for model in models])) for name in names}


def lower_median(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the median of every number, the lower one of two."""
    ordered = np.sort(np.stack(arrays), axis=0)
    return np.array(ordered[(len(arrays) - 1) // 2], order="C")  # 0-d stays 0-d


def uniform_metrics(records: Sequence[Metrics], *, skip: str) -> list[dict[str, Value]]:
    """Return each record with the keys that more than half have, gaps filled by the median.

    Examples
    --------
    >>> uniform_metrics([{"loss": 1.0}, {"loss": 3.0}, {"x": 9.0}], skip="num-examples")
    [{'loss': 1.0}, {'loss': 3.0}, {'loss': 2.0}]
    """
    count = Counter(name for record in records for name in record if name != skip)
    names = sorted(name for name, known in count.items() if 2 * known > len(records))
    filled: list[dict[str, Value]] = [{} for _ in records]
    for name in names:
        usable = _usable([record.get(name) for record in records])
        known = [value for value in usable if value is not None]
        if 2 * len(known) <= len(records):
            continue
        for record, value in zip(filled, usable, strict=True):
            record[name] = _median(known) if value is None else value
    return filled


def _usable(values: Sequence[Value | None]) -> list[Value | None]:
    """Keep the values of the most frequent shape: a number, or a list of one length."""
    shapes = [None if v is None else len(v) if isinstance(v, list) else -1 for v in values]
    known = [shape for shape in shapes if shape is not None]
    common = max(sorted(set(known)), key=known.count)
    return [v if shape == common else None for v, shape in zip(values, shapes, strict=True)]


def _median(values: Sequence[Value]) -> Value:
    if isinstance(values[0], list):
        columns = zip(*(value for value in values if isinstance(value, list)), strict=True)
        return [float(median(column)) for column in columns]
    return float(median(value for value in values if not isinstance(value, list)))
