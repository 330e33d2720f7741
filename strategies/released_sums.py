"""Private models from one noisy release of each client, behind the gate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.privacy.sums_release import SUMS, SumsRelease, no_sums
from parity_flwr.core.records import ReplyFacts
from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import unmeasured_facts
from parity_flwr.strategies.gate import Arrays, Gate, Refused
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.options import RunOptions, adapted
from parity_flwr.strategies.reputation import Reputation


class ReleasedSums(Reputation):
    """Average noisy sums of clients: leaf counts, or statistics of a linear regression.

    One round with clients of :class:`parity_flwr.clients.ReleaseClient`. The gate refuses
    sums that no rows with that noise can have; what is possible is believed. All count
    alike, whatever they claim: distances between sums say how rows differ, not who lies.
    (Only reputation that an earlier run earned makes a difference.) The result is the mean
    of the sums: ``release.fitted(arrays, clients=...)`` makes the model of it.

    The same clients work with :class:`SecureAggregation`, where the server sees the sum
    only, and so refuses nothing.

    Parameters
    ----------
    release : SumsRelease
        The clients'.
    **options : RunOptions
        As in :class:`Reputation`; ``promise`` says what the clients' ledgers allow.

    Examples
    --------
    >>> from parity_flwr.core.privacy.linear_release import LinearRelease
    >>> release = LinearRelease.promising(3, epsilon=1.0, delta=1e-5)
    >>> strategy = ReleasedSums(release, journal=None)
    >>> strategy.initial_arrays()["sums"].shape
    (14,)
    """

    def __init__(self, release: SumsRelease, **options: Unpack[RunOptions]) -> None:
        super().__init__(
            FedAvg(fraction_evaluate=0.0), **adapted(options, TrustConfig.judging_by_distance)
        )
        self.release = release

    def initial_arrays(self) -> ArrayRecord:
        """Return what the run starts from: sums of no rows."""
        return write_arrays(no_sums(self.release))

    def _collect(self, exchange: Exchange, replies: Iterable[Message]) -> list[Answer]:
        gate = ReleaseGate(
            exchange.base,
            weight_key=self._weight_key,
            config=self.config.gate,
            release=self.release,
        )
        return exchange.collect(
            replies, gate=gate, roster=self._roster, state=self.state, run_id=self.book.run_id
        )

    def _gather(
        self, exchange: Exchange, answers: Sequence[Answer]
    ) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[Any]]]:
        return unmeasured_facts(answers), {}


@dataclass(frozen=True)
class ReleaseGate(Gate):
    """The checks on one reply that holds noisy sums.

    Parameters
    ----------
    release : SumsRelease, optional
        What the sums can be at all.
    """

    release: SumsRelease | None = None

    def _examples(self, metrics: MetricRecord) -> int | Refused:
        """Refuse another weight than 1: sums count alike."""
        examples = super()._examples(metrics)
        if examples != 1 and not isinstance(examples, Refused):
            return Refused(f"{self.weight_key!r} of {examples} for sums, which count once")
        return examples

    def _arrays(self, record: ArrayRecord) -> Arrays | Refused:
        checked = super()._arrays(record)
        if isinstance(checked, Refused) or self.release is None:
            return checked
        complaint = self.release.complaint(checked[SUMS])
        return Refused(complaint) if complaint else checked
