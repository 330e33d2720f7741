"""An aggregation rule of the core as a Flower strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg

from parity_flwr.core.privacy.combinations import Combination, Rule
from parity_flwr.core.rules import AggregationRule
from parity_flwr.strategies.arrays import moved, read_arrays, write_arrays
from parity_flwr.strategies.facts import update_rows
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.guarded import Guarded, Setup

RootUpdate = Callable[[int, Arrays], Arrays]
"""Trains on data that the server trusts: (round, the model sent) -> the trained model."""


@dataclass(frozen=True)
class _Sent:
    """The model that went out; in a class of its own, so that no checkpoint holds it twice."""

    arrays: Arrays


class RuleAverage(FedAvg):
    """``FedAvg`` whose average is a rule: w + rule(w_1 - w, ..., w_n - w).

    It checks nothing: replies must have passed a gate. Integer arrays are the first reply's.

    Parameters
    ----------
    rule : AggregationRule
        What becomes of the updates.
    keys : Setup
        Names in the messages.
    root : RootUpdate, optional
        Gives one more model, the last row that the rule sees.
    """

    def __init__(
        self, rule: AggregationRule, *, keys: Setup, root: RootUpdate | None = None
    ) -> None:
        super().__init__(
            weighted_by_key=keys.weighted_by_key,
            arrayrecord_key=keys.arrayrecord_key,
            configrecord_key=keys.configrecord_key,
        )
        self.rule = rule
        self._root = root
        self._sent: _Sent | None = None

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Remember the model that goes out, then do as ``FedAvg``."""
        self._sent = _Sent(read_arrays(arrays))
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return the model moved by the rule's update, and the averaged metrics."""
        contents = [reply.content for reply in replies]
        if not contents or self._sent is None:
            return None, None
        base = self._sent.arrays
        models: list[Arrays] = [
            read_arrays(next(iter(content.array_records.values()))) for content in contents
        ]
        weights = [
            float(next(iter(content.metric_records.values()))[self.weighted_by_key])  # type: ignore[arg-type]
            for content in contents
        ]
        counters = {name: models[0][name] for name in base if base[name].dtype.kind != "f"}
        if self._root is not None:
            models.append(self._root(server_round, base))
            weights.append(0.0)
        update = self.rule.aggregate(update_rows(models, base), weights=np.array(weights))
        metrics = self.train_metrics_aggr_fn(contents, self.weighted_by_key)
        return write_arrays(moved(base, update, counters)), metrics


class RuleStrategy(Guarded):
    """Any rule of :mod:`parity_flwr.core.rules` behind the gate.

    Parameters
    ----------
    rule : AggregationRule
        A rule of the core, or one of your own.
    setup : Setup, optional
        Sampling, constants, seed and names in the messages.
    root : RootUpdate, optional
        For rules that trust one update, which is their last row.

    Examples
    --------
    >>> from parity_flwr.core.rules import GeometricMedian
    >>> RuleStrategy(GeometricMedian()).inner.__class__.__name__
    'RuleAverage'
    """

    combination: ClassVar[Combination] = Combination(rule=Rule.ROBUST)

    def __init__(
        self,
        rule: AggregationRule,
        *,
        setup: Setup | None = None,
        root: RootUpdate | None = None,
    ) -> None:
        setup = setup or Setup()
        super().__init__(RuleAverage(rule, keys=setup, root=root), setup=setup)
