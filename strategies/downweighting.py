"""P-5 and P-6 around any strategy, without reputation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from parity_flwr.core.config import Design
from parity_flwr.core.evidence import weigh_evidence
from parity_flwr.core.measure import NeighbourRule
from parity_flwr.core.privacy.combinations import Combination, Rule
from parity_flwr.core.records import ReplyFacts, Verdict
from parity_flwr.strategies.bookkeeping import sketch_seed
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import update_rows
from parity_flwr.strategies.gate import Passed
from parity_flwr.strategies.guarded import Guarded, Values


class RobustDownweighting(Guarded):
    """Give an update less weight the farther it lies from the others (P-5, P-6; Eqs. 5, 6).

    n_k is multiplied by exp(-lambda max(0, rho_k - tau)), rho_k the distance to the m-th
    nearest other update; an update that is hardly one (a free rider) has no weight. Each
    round stands alone. Strategies that average get the weights; those that count heads
    (Krum, median) lose the replies whose weight is next to nothing.

    Parameters
    ----------
    inner : Strategy
        Any Message-API strategy.
    setup : Setup, optional
        ``setup.config.robustness`` holds m, tau and lambda.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAvgM
    >>> RobustDownweighting(FedAvgM()).inner.__class__.__name__
    'FedAvgM'
    """

    combination: ClassVar[Combination] = Combination(rule=Rule.ROBUST)

    def factors(self, admitted: Sequence[Passed], exchange: Exchange) -> Values:
        """Return the penalty of each update, in [0, 1], shape (n,)."""
        if not admitted:
            return np.ones(0)
        # Without memory there is nothing else to judge by than this round's distances.
        config = replace(self.config.robustness, design=Design.NEIGHBOUR)
        exact = len(admitted) <= config.exact_replies
        rule = NeighbourRule(
            replace(
                config, ranked_coordinates=0, sketch_size=0 if exact else config.sketch_size
            )
        )
        figures, _ = rule.measure(
            update_rows([each.arrays for each in admitted], exchange.base),
            identities=[str(k) for k in range(len(admitted))],
            trust=np.ones(len(admitted)),
            memory={},
            secret=sketch_seed(self.seed),
        )
        facts = [
            ReplyFacts(identity="", verdict=Verdict.ACCEPTED, norm=each.norm, rho=each.rho)
            for each in figures
        ]
        return np.array([each.penalty for each in weigh_evidence(facts, config)])
