"""The response design's rule, the default: the figures of stage A (``Design.RESPONSE``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.centre import consensus_deviation, geometric_median
from parity_flwr.core.config import Design, RobustnessConfig
from parity_flwr.core.evidence import penalty_among, weigh_evidence
from parity_flwr.core.measure import (
    NEAR,
    Figures,
    NeighbourRule,
    Rule,
    as_facts,
    figures_of,
    pair_distances,
    read_updates,
)
from parity_flwr.core.ranks import rank_balance
from parity_flwr.core.recollection import Memory
from parity_flwr.core.response_evidence import (
    COEFFICIENT,
    DISTANCE,
    in_medians,
    is_at_work,
)
from parity_flwr.core.response_memory import keep, recall
from parity_flwr.core.response_round import Present, advance, figures
from parity_flwr.core.robustness import neighbour_distance
from parity_flwr.core.rows import Rows

Values = NDArray[np.float64]
Extra = list[dict[str, float]]


def rule_for(config: RobustnessConfig) -> Rule:
    """Return the rule of the configured design.

    Examples
    --------
    >>> type(rule_for(RobustnessConfig())).__name__
    'ResponseRule'
    """
    if config.design is Design.RESPONSE:
        return ResponseRule(config)
    return NeighbourRule(config)


@dataclass(frozen=True)
class ResponseRule:
    """Noise that repeats, answers to the model's step, a direction with authority.

    *Decided*, beyond P-4 to P-6: one round's distances cannot tell an honest minority from
    liars, but liars' noise is a function of others' noise, a lie answers the model's last
    step the wrong way, and what contradicts the others is never served and grows louder.

    Parameters
    ----------
    config : RobustnessConfig
        Constants; with ``Design.RESPONSE``, or stage B judges by other figures.
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
        """See :meth:`parity_flwr.core.measure.Rule.measure`."""
        seen = read_updates(updates, secret, self.config)
        squared, lengths = pair_distances(updates, seen, self.config), seen.norms
        working = is_at_work(lengths, self.config)
        rho = neighbour_distance(squared, neighbour=self.config.neighbour, among=working)
        near = penalty_among(rho, working, self.config) >= NEAR
        voices = working & (trust > 0)
        latest, extra = dict(memory), [dict[str, float]() for _ in identities]
        if self.config.sketch_size > 0:
            now = Present(
                sketches=seen.sketches,
                balance=rank_balance(seen.columns, among=voices & near),
                loudness=in_medians(lengths, working),
                voices=voices,
                trust=trust,
                applied=np.zeros(len(trust)) if applied is None else applied,
            )
            latest, extra = self._remember(now, identities, memory)
        deviation = self._centre(squared, lengths, rho, extra, trust)
        return figures_of(lengths, rho, deviation, extra), latest

    def _remember(
        self, now: Present, identities: Sequence[str], memory: Memory
    ) -> tuple[dict[str, Values], Extra]:
        """Return the memory after the round and the figures that need one."""
        past = recall(memory, identities, size=self.config.sketch_size)
        latest = advance(past, now, self.config)
        return keep(memory, identities, latest), figures(past, now, latest, self.config)

    def _centre(
        self, squared: Values, lengths: Values, rho: Values, extra: Extra, trust: Values
    ) -> Values:
        """Add each update's distance to the centre and coefficient in it; return P-4's."""
        if len(extra) < self.config.min_replies:
            return np.zeros(len(extra))
        evidence = weigh_evidence(as_facts(lengths, rho, extra), self.config)
        weight = np.array([each.soundness * each.share for each in evidence])
        coefficients, distances = geometric_median(squared, trust * weight)
        for each, far, coefficient in zip(extra, distances, coefficients, strict=True):
            each |= {DISTANCE: float(far), COEFFICIENT: float(coefficient)}
        return consensus_deviation(
            distances, self.config, among=is_at_work(lengths, self.config)
        )
