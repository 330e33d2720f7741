"""Contenders from the literature that see one round at a time: :mod:`parity_flwr.core.rules`.

All clients count alike in them, as in the literature; f is the assumed one, or as many as
the rule admits among n clients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity_flwr.app.compare.contender import Contender, Judgement, Setting, Submissions
from parity_flwr.core import rules
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.rules import AggregationRule


@dataclass(frozen=True)
class SingleShot:
    """Apply one rule to each round.

    Parameters
    ----------
    rule : AggregationRule
        Gets the updates without weights.
    """

    rule: AggregationRule

    def __call__(self, submissions: Submissions, /) -> Judgement:
        """Aggregate one round."""
        return Judgement(self.rule.aggregate(MatrixRows(submissions.updates)))


@dataclass(frozen=True)
class RuleRecipe:
    """Make a rule for n clients of whom f are assumed to be Byzantine.

    Parameters
    ----------
    make : callable
        f -> rule.
    per_byzantine, more : int
        The rule needs n >= per_byzantine * f + more.
    """

    make: Callable[[int], AggregationRule]
    per_byzantine: int = 2
    more: int = 1

    def __call__(self, setting: Setting) -> Contender:
        """Return the contender for one run."""
        most = (setting.clients - self.more) // self.per_byzantine
        return SingleShot(self.make(max(0, min(setting.assumed, most))))


krum = RuleRecipe(lambda f: rules.Krum(byzantine=f), more=3)
multi_krum = RuleRecipe(lambda f: rules.MultiKrum(byzantine=f), more=3)
median = RuleRecipe(lambda f: rules.CoordinateMedian())
trimmed_mean = RuleRecipe(lambda f: rules.TrimmedMean(byzantine=f))
geometric_median = RuleRecipe(lambda f: rules.GeometricMedian())
centred_clipping = RuleRecipe(lambda f: rules.CentredClipping())
nnm_trimmed_mean = RuleRecipe(
    lambda f: rules.NearestNeighbourMixing(inner=rules.TrimmedMean(byzantine=f), byzantine=f)
)


def fltrust(setting: Setting) -> Contender:
    """Return FLTrust, which is given the update of the server's root examples."""
    rule = rules.FLTrust()

    def aggregate(submissions: Submissions) -> Judgement:
        rows = np.vstack([submissions.updates, submissions.root_update()])
        return Judgement(rule.aggregate(MatrixRows(rows)))

    return aggregate
