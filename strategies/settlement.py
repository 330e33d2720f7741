"""From a round's decision to the next model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.core.records import RoundDecision, RoundStatus
from parity_flwr.strategies.arrays import read_arrays, write_arrays
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.forwarding import anchor, forward
from parity_flwr.strategies.gate import Arrays, Passed
from parity_flwr.strategies.inner import FOREIGN
from parity_flwr.strategies.inner_state import Snapshot
from parity_flwr.strategies.intake import Answer

_WHOLE = 1 - 1e-9  # weights that sum to less leave the rest to the old model


@dataclass(frozen=True)
class Outcome:
    """The model after a round; ``note`` says why it stayed although replies had weight."""

    model: Arrays
    arrays: ArrayRecord
    metrics: MetricRecord | None = None
    note: str = ""


def settle_round(
    inner: Strategy,
    exchange: Exchange,
    answers: Sequence[Answer],
    decision: RoundDecision,
    *,
    weight_key: str,
    arrays_key: str,
) -> Outcome:
    """Return the model that the inner strategy makes of the weighted replies.

    The model stays as it was when the round is rejected, or when the inner strategy returns
    nothing, fails, or returns something that is not a finite model of the same shape.
    """
    stays = Outcome(exchange.base, exchange.record)
    if decision.status is RoundStatus.REJECTED:
        return stays
    replies, weights = _weighted(exchange, answers, decision)
    copies = forward(replies, weights, weight_key=weight_key, arrays_key=arrays_key)
    return aggregate_copies(inner, exchange, copies)


def aggregate_copies(inner: Strategy, exchange: Exchange, copies: Sequence[Message]) -> Outcome:
    """Return the inner strategy's model of its copies, or the one that was sent."""
    stays = Outcome(exchange.base, exchange.record)
    before = Snapshot.of(inner)
    outcome = _aggregate(inner, exchange, copies)
    if isinstance(outcome, str):
        before.restore()  # or its optimiser would remember a model that nobody has
        return _noted(stays, outcome)
    return outcome


def _aggregate(inner: Strategy, exchange: Exchange, copies: Sequence[Message]) -> Outcome | str:
    """Return what the inner strategy makes of the replies, or why that is no model."""
    try:
        arrays, metrics = inner.aggregate_train(exchange.round, copies)
        model = None if arrays is None else fit(read_arrays(arrays), exchange.base)
    except FOREIGN as error:
        return f"the inner strategy failed: {type(error).__name__}: {error}"
    if arrays is None:
        return "the inner strategy returned no model"
    if model is None:
        return "the inner strategy returned no finite model of the same shape"
    return Outcome(model, write_arrays(model), metrics)


def _noted(outcome: Outcome, note: str) -> Outcome:
    return Outcome(outcome.model, outcome.arrays, None, " ".join(note.split())[:300])


def _weighted(
    exchange: Exchange, answers: Sequence[Answer], decision: RoundDecision
) -> tuple[list[tuple[Message, Passed]], list[float]]:
    """Return the replies that have weight with their c_k, and the old model's if it has any."""
    shares = {each.identity: each.weight for each in decision.replies}
    chosen = [
        (answer.message, answer.passed, shares[answer.asked.identity])
        for answer in answers
        if answer.message and answer.passed and shares[answer.asked.identity] > 0
    ]
    replies = [(message, passed) for message, passed, _ in chosen]
    weights = [weight for _, _, weight in chosen]
    rest = 1 - sum(weights)
    if sum(weights) < _WHOLE:
        replies.append(anchor(chosen[0][0], exchange.record, exchange.base))
        weights.append(rest)
    return replies, weights


def fit(model: Arrays, base: Arrays) -> Mapping[str, NDArray[Any]] | None:
    """Return the model with the base's order and dtypes; None if it is not such a model.

    A weighted mean of integer counters comes back as floats and is rounded.

    Examples
    --------
    >>> fit({"n": np.array([2.0])}, {"n": np.array([1])})
    {'n': array([2])}
    """
    if set(model) != set(base):
        return None
    fitted: dict[str, NDArray[Any]] = {}
    for name, expected in base.items():
        value = model[name]
        if value.shape != expected.shape or not np.isfinite(value).all():
            return None
        rounded = value if expected.dtype.kind == "f" else np.rint(value)
        with np.errstate(over="ignore"):  # what overflows the dtype is found below
            fitted[name] = np.asarray(rounded, expected.dtype)  # 0-d: rint makes scalars
        if not np.isfinite(fitted[name]).all():
            return None
    return fitted
