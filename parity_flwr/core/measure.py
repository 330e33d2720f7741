"""What a round's updates look like next to each other: the figures that decisions rest on.

A rule is the part of the protocol that sees updates. It returns figures, which the journal
keeps; everything after it (:func:`parity_flwr.core.rounds.decide`) sees the figures only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centre import consensus_deviation, geometric_median
from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.distances import squared_distances
from parity_flwr.core.evidence import (
    BALANCE,
    DIRECTION,
    MEMORY,
    is_working,
    penalty_among,
    weigh_evidence,
)
from parity_flwr.core.ranks import choose_coordinates, rank_balance, ranked_count
from parity_flwr.core.recollection import Memory, recalled, recollect, support
from parity_flwr.core.records import ReplyFacts, Verdict
from parity_flwr.core.robustness import neighbour_distance
from parity_flwr.core.rows import MatrixRows, Rows
from parity_flwr.core.sketch import UpdateSketch, shorten
from parity_flwr.core.survey import Survey, survey

Values = NDArray[np.float64]

NEAR = 0.5  # an update that P-6 costs more than half its weight is nobody's peer in rank


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a rule measured on one update. ``extra`` goes into the journal as it is."""

    norm: float
    rho: float
    deviation: float
    extra: Mapping[str, float] = field(default_factory=dict)


class Rule(Protocol):
    """Measures the accepted updates of one round (an extension point)."""

    def measure(
        self,
        updates: Rows,
        *,
        identities: Sequence[str],
        trust: Values,
        memory: Memory,
        secret: bytes,
        applied: Values | None = None,
    ) -> tuple[list[Figures], dict[str, Values]]:
        """Return one figure set per update, and the memory after the round.

        Parameters
        ----------
        updates : Rows
            n updates w_k - w, finite, n >= 1.
        identities : sequence of str
            Who sent each.
        trust : ndarray of float64, shape (n,)
            Each client's alpha by reputation before the round, 0 for the excluded.
        memory : mapping
            What the rule remembered after the round before.
        secret : bytes
            Seed of the run's random projections; clients must not know it.
        applied : ndarray of float64, shape (n,), optional
            Each client's coefficient in the model's last step, 0 without a part in it.
        """
        ...


def figures_of(
    lengths: Values, rho: Values, deviation: Values, extra: Sequence[Mapping[str, float]]
) -> list[Figures]:
    """Return one figure set per update from their columns."""
    columns = (lengths.tolist(), rho.tolist(), deviation.tolist(), extra)
    return [
        Figures(norm=norm, rho=distance, deviation=value, extra=each)
        for norm, distance, value, each in zip(*columns, strict=True)
    ]


@dataclass(frozen=True)
class NeighbourRule:
    """Distances to neighbours, to a robust centre and between memories (P-4, P-5).

    Besides rho and the deviation it records three figures that need a client's past:
    ``memory`` (rho between the decayed means of sketched updates), ``direction`` (cosine of
    its direction memory with the others') and ``balance`` (how one-sided its numbers are for
    long). These three are *decided*, beyond P-4 and P-5: one round's distances cannot tell
    a small lie in the same direction every round from honest differences.

    Parameters
    ----------
    config : RobustnessConfig
        Constants.
    """

    config: RobustnessConfig = field(default_factory=RobustnessConfig)

    def measure(
        self,
        updates: Rows,
        *,
        identities: Sequence[str],
        trust: Values,
        memory: Memory,
        secret: bytes,
        applied: Values | None = None,
    ) -> tuple[list[Figures], dict[str, Values]]:
        """See :meth:`Rule.measure`."""
        seen = read_updates(updates, secret, self.config)
        squared, lengths = pair_distances(updates, seen, self.config), seen.norms
        working = is_working(lengths, self.config)
        rho = neighbour_distance(squared, neighbour=self.config.neighbour, among=working)
        voices = working & (trust > 0)
        peers = voices & (penalty_among(rho, working, self.config) >= NEAR)
        latest = self._remember(seen, identities, memory, voices=voices, peers=peers)
        extra = self._memory_figures(identities, latest, working, trust)
        facts = as_facts(lengths, rho, extra)
        deviation = self._deviation(squared, facts, trust, working)
        return figures_of(lengths, rho, deviation, extra), latest

    def _deviation(
        self,
        squared: Values,
        facts: Sequence[ReplyFacts],
        trust: Values,
        working: NDArray[np.bool_],
    ) -> Values:
        """Return P-4's deviation from the geometric median, weighted by trust and evidence."""
        if len(facts) < self.config.min_replies:
            return np.zeros(len(facts))
        sound = [each.soundness for each in weigh_evidence(facts, self.config)]
        _, distances = geometric_median(squared, trust * np.array(sound))
        return consensus_deviation(distances, self.config, among=working)

    def _remember(
        self,
        seen: Survey,
        identities: Sequence[str],
        memory: Memory,
        *,
        voices: NDArray[np.bool_],
        peers: NDArray[np.bool_],
    ) -> dict[str, Values]:
        """Add this round's sketches and rank balances to the memory."""
        if self.config.sketch_size == 0:
            return dict(memory)
        return recollect(
            memory,
            identities,
            sketches=seen.sketches,
            balance=rank_balance(seen.columns, among=peers),
            voices=voices,
            decay=self.config.sketch_decay,
        )

    def _memory_figures(
        self,
        identities: Sequence[str],
        memory: Memory,
        working: NDArray[np.bool_],
        trust: Values,
    ) -> list[dict[str, float]]:
        extra: list[dict[str, float]] = [{} for _ in identities]
        if self.config.sketch_size == 0:
            return extra
        known, past = recalled(memory, identities, rounds=self.config.sketch_rounds)
        if np.count_nonzero(known & working) < self.config.min_replies:
            return extra
        rho = neighbour_distance(
            squared_distances(MatrixRows(shorten(past.means))),
            neighbour=self.config.neighbour,
            among=working[known],
        )
        direction = support(past.directions, trust[known])
        onesided = _from_median(past.balance, working[known])
        for row, k in enumerate(np.flatnonzero(known)):
            extra[k] = {
                MEMORY: float(rho[row]),
                DIRECTION: float(direction[row]),
                BALANCE: float(onesided[row]),
            }
        return extra


def read_updates(updates: Rows, secret: bytes, config: RobustnessConfig) -> Survey:
    """Return the updates' norms, sketches and ranked parameters."""
    size = config.sketch_size
    ranked = ranked_count(updates.n, config.ranked_coordinates) if size else 0
    return survey(
        updates,
        sketch=UpdateSketch(secret, size),
        coordinates=choose_coordinates(secret, d=updates.d, count=ranked),
    )


def pair_distances(updates: Rows, seen: Survey, config: RobustnessConfig) -> Values:
    """Return all squared distances; of many updates by their sketches.

    The exact ones cost n^2 d, the sketched ones n^2 size with an error of 3 % (2,048
    buckets), small next to the spread floor, which is 15 % of a median distance.
    """
    if updates.n <= config.exact_replies or config.sketch_size == 0:
        return squared_distances(updates)
    return squared_distances(MatrixRows(shorten(seen.sketches)))


def _from_median(balance: Values, among: NDArray[np.bool_]) -> Values:
    """Return how far each rank balance lies from the median one, shape (m,).

    Balances sum to 0, so a minority on one side of everybody shifts all others to the
    other side: the median is what such a shift leaves the honest with.
    """
    return np.asarray(np.abs(balance - np.median(balance[among])), np.float64)


def as_facts(
    lengths: Values, rho: Values, extra: Sequence[Mapping[str, float]]
) -> list[ReplyFacts]:
    """Return the figures as facts on replies of nobody, for :func:`weigh_evidence`."""
    return [
        ReplyFacts(identity="", verdict=Verdict.ACCEPTED, norm=norm, rho=each, figures=more)
        for norm, each, more in zip(lengths.tolist(), rho.tolist(), extra, strict=True)
    ]
