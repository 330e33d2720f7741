"""Linear regression in one round, exactly, from statistics that pass a gate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from flwr.app import ArrayRecord, Message
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig, WeightConfig
from parity_flwr.core.linear import Root, disagreement
from parity_flwr.core.linear.roots import TOLERANCE
from parity_flwr.core.linear.wire import FIELDS, unpack_root
from parity_flwr.core.measure import Figures
from parity_flwr.core.records import (
    ReplyFacts,
    RoundDecision,
    RoundFacts,
    RoundStatus,
    Verdict,
)
from parity_flwr.core.rounds import decide
from parity_flwr.errors import DataError
from parity_flwr.strategies.arrays import ArrayRefusedError, read_array, write_arrays
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import reply_facts
from parity_flwr.strategies.gate import Arrays, Gate, Passed, Refused
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.options import RunOptions, adapted
from parity_flwr.strategies.pooled import PooledStatistics
from parity_flwr.strategies.reputation import Reputation, Settled
from parity_flwr.strategies.settlement import Outcome

_LEAST = 0.1  # rho where nobody disagrees: P-6 needs a median above 0 for its scale


def exact_config() -> TrustConfig:
    """Return constants under which sound clients count by their examples, without caps.

    With the usual caps on n_k and on shares a large client would count for less, and the
    result would not be the fit of the pooled data.
    """
    return TrustConfig(weights=WeightConfig(examples_factor=1e9, max_share=1.0))


class LeastSquares(Reputation):
    """Fit a linear regression to everybody's data in one round (exact, not FedAvg).

    Clients (:class:`parity_flwr.clients.StatisticsClient`) send n_k, means and the root of
    their scatter; merged, these give the same coefficients as all data in one place, also
    where it does not decide them. The gate refuses statistics that no data can have. How far
    a client's data contradict the others' model (:func:`parity_flwr.core.linear.disagreement`,
    computed here, from the statistics alone) takes the place of the distance of P-5: under
    the threshold of P-6 it costs nothing, so that honest federations are exact; beyond it
    weight, and reputation.

    Parameters
    ----------
    features : int
        d.
    ridge : float
        Penalty on the squared coefficients, scikit-learn's ``alpha``.
    intercept : bool
        Whether there is one.
    tolerance : float
        What counts as dependent columns: :func:`parity_flwr.core.linear.solve`.
    config : TrustConfig, optional
        By default :func:`exact_config`: nobody's n_k is capped, so that a client's claim to
        have many examples is believed as long as they agree with the others'.
    **options
        See :class:`parity_flwr.strategies.options.RunOptions`.

    Examples
    --------
    >>> strategy = LeastSquares(3, journal=None)
    >>> {name: array.shape for name, array in strategy.initial_arrays().items()}
    {'coef': (1, 3), 'intercept': (1,)}
    """

    def __init__(
        self,
        features: int,
        *,
        ridge: float = 0.0,
        intercept: bool = True,
        tolerance: float = TOLERANCE,
        **options: Unpack[RunOptions],
    ) -> None:
        self.pooled = PooledStatistics(
            features, ridge=ridge, intercept=intercept, tolerance=tolerance
        )
        super().__init__(
            self.pooled,
            **adapted(options, TrustConfig.judging_by_distance, default=exact_config()),
        )

    def initial_arrays(self) -> ArrayRecord:
        """Return the model that a run starts from: zeros."""
        zeros = {"coef": np.zeros((1, self.pooled.features)), "intercept": np.zeros(1)}
        return write_arrays(zeros)

    def _collect(self, exchange: Exchange, replies: Iterable[Message]) -> list[Answer]:
        gate = StatisticsGate(
            exchange.base,
            weight_key=self._weight_key,
            config=self.config.gate,
            features=self.pooled.features,
        )
        return exchange.collect(
            replies, gate=gate, roster=self._roster, state=self.state, run_id=self.book.run_id
        )

    def _roots(self, answers: Sequence[Answer]) -> dict[str, Root]:
        return {
            each.asked.identity: unpack_root(each.passed.arrays, features=self.pooled.features)
            for each in answers
            if each.passed and each.verdict is Verdict.ACCEPTED
        }

    def _gather(
        self, exchange: Exchange, answers: Sequence[Answer]
    ) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[np.float64]]]:
        """Measure how far each client's data contradict the others' model."""
        roots = self._roots(answers)
        rises = disagreement(list(roots.values())).tolist()
        figures = {
            name: Figures(norm=1.0, rho=_LEAST + rise, deviation=0.0)
            for name, rise in zip(roots, rises, strict=True)
        }
        names = [each.asked.identity for each in answers]
        pairs = zip(names, answers, strict=True)
        return tuple(reply_facts(each, figures.get(name)) for name, each in pairs), {}

    def _settle(
        self, exchange: Exchange, answers: Sequence[Answer], facts: RoundFacts
    ) -> Settled:
        """Decide about the round and solve for the admitted clients."""
        state, decision = decide(self.state, facts, self.config)
        if decision.status is RoundStatus.REJECTED:
            stays = Outcome(exchange.base, exchange.record)
            return Settled(facts, state, decision, stays)
        roots = self._roots(answers)
        counts = _multiplicity(roots, decision)
        heard = [name for name in roots if counts[name] > 0]
        model, metrics = self.pooled.fit(
            [roots[name] for name in heard], [counts[name] for name in heard]
        )
        return Settled(facts, state, decision, Outcome(model, write_arrays(model), metrics))


def _multiplicity(roots: dict[str, Root], decision: RoundDecision) -> dict[str, float]:
    """Return how often each client's examples count: c_k / n_k, at most 1.

    1 for all whose reputation and evidence are the same, rounding errors taken off.
    """
    weights = {each.identity: each.weight for each in decision.replies}
    each = {name: weights[name] / root.count for name, root in roots.items()}
    most = max(each.values())
    return {name: round(value / most, 12) for name, value in each.items()}


@dataclass(frozen=True)
class StatisticsGate(Gate):
    """The checks on one reply that holds statistics instead of a model.

    Parameters
    ----------
    features : int
        d.
    """

    features: int = 1

    def inspect(self, reply: Message) -> Passed | Refused:
        """Check one reply; its statistics must count as many examples as it claims."""
        metrics = [] if reply.has_error() else list(reply.content.metric_records.values())
        if len(metrics) == 1 and metrics[0].get(self.weight_key) == 0:
            return Gate(self.base, self.weight_key, self.config).inspect(reply)  # abstains
        passed = super().inspect(reply)
        if isinstance(passed, Passed) and passed.num_examples != int(passed.arrays["0"][0]):
            return Refused("statistics of another number of examples than claimed")
        return passed

    def _arrays(self, record: ArrayRecord) -> Arrays | Refused:
        if set(record) != set(FIELDS):
            return Refused("the arrays are no statistics")
        size = sum(len(each.data) for each in record.values())
        if size > self.config.max_bytes:
            return Refused(f"{size} bytes of arrays, {self.config.max_bytes} allowed")
        checked: dict[str, NDArray[Any]] = {}
        try:
            for name in FIELDS:
                checked[name] = read_array(record[name])
            unpack_root(checked, features=self.features)
            largest = max(float(np.abs(checked[name]).max()) for name in ("1", "2"))
            if largest > self.config.max_magnitude:
                return Refused(f"magnitude {largest:.3g} over {self.config.max_magnitude:.3g}")
        except (ArrayRefusedError, DataError) as error:
            return Refused(str(error).partition(";")[0][:160])
        return checked
