"""The gate for forests: any number of trees, as long as they are trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flwr.app import ArrayRecord
from numpy.typing import NDArray

from parity_flwr.core.forest import FIELDS, ForestLimits, ForestSchema, decode_forest
from parity_flwr.errors import DataError
from parity_flwr.strategies.arrays import ArrayRefusedError, read_array
from parity_flwr.strategies.gate import Arrays, Gate, Refused


@dataclass(frozen=True)
class ForestGate(Gate):
    """The checks on one reply that holds a forest instead of a model of fixed shapes.

    Parameters
    ----------
    schema : ForestSchema
        What every tree must predict from what.
    limits : ForestLimits
        How large one reply may be, besides ``config.max_bytes``.
    """

    schema: ForestSchema = field(default_factory=lambda: ForestSchema(1))
    limits: ForestLimits = field(default_factory=ForestLimits)

    def _arrays(self, record: ArrayRecord) -> Arrays | Refused:
        if set(record) != set(FIELDS):
            return Refused("the arrays are not a forest's")
        size = sum(len(record[name].data) for name in FIELDS)
        if size > self.config.max_bytes:
            return Refused(f"{size} bytes of arrays, {self.config.max_bytes} allowed")
        checked: dict[str, NDArray[Any]] = {}
        for name in FIELDS:
            try:
                checked[name] = read_array(record[name])
            except ArrayRefusedError as error:
                return Refused(f"array {name!r}: {error}")
        try:
            decode_forest(checked, schema=self.schema, limits=self.limits)
        except DataError as error:
            return Refused(f"{error.needed}"[:160])
        return checked
