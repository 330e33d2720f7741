"""The gate: every reply is checked against the model that was sent before anything sees it.

A refused reply is a reason, never an exception; the round goes on without it, bit-equal to
a round in which that client had not been asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from numpy.typing import NDArray

from parity_flwr.core.config import GateConfig
from parity_flwr.strategies.arrays import ArrayRefusedError, read_array

Arrays = Mapping[str, NDArray[Any]]
Metrics = Mapping[str, int | float | list[int] | list[float]]

_BLOCK = 1 << 20  # numbers checked at once: a few MiB of temporaries at most


@dataclass(frozen=True)
class Passed:
    """A reply that is what it should be: arrays in the model's order, views of its bytes."""

    arrays: Arrays
    num_examples: int
    metrics: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A reply that is not, with the reason in a few words.

    ``fault`` marks errors and drop-outs, which cost reliability rather than quality.
    """

    reason: str
    fault: bool = False


@dataclass(frozen=True)
class Gate:
    """The checks on one reply, against the arrays of the model that was sent.

    Parameters
    ----------
    base : Mapping[str, NDArray]
        The model sent out: names, dtypes and shapes that a reply must have.
    weight_key : str
        Metric that holds n_k, the number of examples.
    config : GateConfig
        Limits.
    """

    base: Arrays
    weight_key: str = "num-examples"
    config: GateConfig = field(default_factory=GateConfig)

    def inspect(self, reply: Message) -> Passed | Refused:
        """Return what the reply holds, or why it is refused."""
        if reply.has_error():
            return Refused(f"error: {_one_line(reply.error.reason)}", fault=True)
        arrays = list(reply.content.array_records.values())
        metrics = list(reply.content.metric_records.values())
        if len(arrays) != 1:
            return Refused(f"needs exactly one ArrayRecord, {len(arrays)} came")
        if len(metrics) != 1:
            return Refused(f"needs exactly one MetricRecord, {len(metrics)} came")
        examples = self._examples(metrics[0])
        if isinstance(examples, Refused):
            return examples
        checked = self._arrays(arrays[0])
        if isinstance(checked, Refused):
            return checked
        return Passed(checked, examples, finite_metrics(metrics[0]))

    def _examples(self, metrics: MetricRecord) -> int | Refused:
        """P-2's n_k: an integer from 0 to ``max_examples``; 0 is an abstention."""
        if self.weight_key not in metrics:
            return Refused(f"no {self.weight_key!r} in the metrics")
        value = metrics[self.weight_key]
        if type(value) is not int:
            return Refused(f"{self.weight_key!r} is not an integer")
        if not 0 <= value <= self.config.max_examples:
            return Refused(f"{self.weight_key!r} out of range: {str(value)[:30]}")
        return value

    def _arrays(self, record: ArrayRecord) -> Arrays | Refused:
        missing = [name for name in self.base if name not in record]
        extra = [name for name in record if name not in self.base]
        if missing or extra:
            return Refused(f"{len(missing)} arrays missing, {len(extra)} unknown")
        size = sum(len(record[name].data) for name in self.base)
        if size > self.config.max_bytes:
            return Refused(f"{size} bytes of arrays, {self.config.max_bytes} allowed")
        checked: dict[str, NDArray[Any]] = {}
        for name, expected in self.base.items():
            try:
                checked[name] = read_array(record[name])
            except ArrayRefusedError as error:
                return Refused(f"array {_one_line(name)!r}: {error}")
            complaint = self._complaint(checked[name], expected)
            if complaint:
                return Refused(f"array {_one_line(name)!r}: {complaint}")
        return checked

    def _complaint(self, array: NDArray[Any], expected: NDArray[Any]) -> str | None:
        if array.shape != expected.shape:
            return f"shape {array.shape} instead of {expected.shape}"[:120]
        if array.dtype != expected.dtype:
            return f"dtype {array.dtype} instead of {expected.dtype}"
        if array.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
            return "booleans that are neither 0 nor 1"
        largest = _largest_magnitude(array)
        if not math.isfinite(largest):
            return "NaN or infinite values"
        if largest > self.config.max_magnitude:
            return f"magnitude {largest:.3g} over {self.config.max_magnitude:.3g}"
        return None


def _largest_magnitude(array: NDArray[Any]) -> float:
    """Return max |x|; NaN or infinity if the array holds one; 0 for an empty one."""
    if array.dtype.kind == "b":
        return 1.0
    flat = array.reshape(-1, order="A") if array.flags.forc else array.reshape(-1)
    largest = 0.0
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        for extreme in (float(block.max()), float(block.min())):
            if not math.isfinite(extreme):
                return math.nan
            largest = max(largest, abs(extreme))
    return largest


def finite_metrics(record: MetricRecord) -> Metrics:
    """Return the metrics without NaN and infinities, which would spoil an average."""
    return {name: value for name, value in record.items() if _is_finite(value)}


def _is_finite(value: int | float | list[int] | list[float]) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(abs(each) < 1e300 for each in values)


def _one_line(text: object) -> str:
    """Return hostile text on one line, printable and short."""
    line = " ".join(str(text)[:500].split())
    return "".join(c if c.isprintable() else "?" for c in line)[:160]
