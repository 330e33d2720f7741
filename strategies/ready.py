"""Ready-made strategies: one line to adopt, each behind the gate.

Flower's own Krum, MultiKrum, Bulyan, FedMedian and FedTrimmedAvg let NaN through, end the
run on a malformed reply, and compute distances that cancel; these do not.
"""

from __future__ import annotations

from parity_flwr.core import rules
from parity_flwr.strategies.guarded import Guarded, Setup
from parity_flwr.strategies.ruled import RootUpdate, RuleStrategy


class SafeFedAvg(Guarded):
    """``FedAvg`` behind the gate: malformed replies and inflated n_k do no harm, lies do.

    Examples
    --------
    >>> SafeFedAvg().inner.__class__.__name__
    'FedAvg'
    """

    def __init__(self, *, setup: Setup | None = None) -> None:
        setup = setup or Setup()
        super().__init__(setup.average(), setup=setup)


class CoordinateMedian(RuleStrategy):
    """The median of every parameter (Yin et al. 2018)."""

    def __init__(self, *, setup: Setup | None = None) -> None:
        super().__init__(rules.CoordinateMedian(), setup=setup)


class TrimmedMean(RuleStrategy):
    """The mean of every parameter without its f extremes on each side (Yin et al. 2018)."""

    def __init__(self, *, byzantine: int, setup: Setup | None = None) -> None:
        super().__init__(rules.TrimmedMean(byzantine=byzantine), setup=setup)


class Krum(RuleStrategy):
    """The one update in the closest company (Blanchard et al. 2017); n > 2f + 2."""

    def __init__(self, *, byzantine: int, setup: Setup | None = None) -> None:
        super().__init__(rules.Krum(byzantine=byzantine), setup=setup)


class MultiKrum(RuleStrategy):
    """The mean of the updates with the best Krum scores, n - f by default; n > 2f + 2."""

    def __init__(
        self, *, byzantine: int, selected: int | None = None, setup: Setup | None = None
    ) -> None:
        super().__init__(rules.MultiKrum(byzantine=byzantine, selected=selected), setup=setup)


class Bulyan(RuleStrategy):
    """Krum's choice, then every parameter's middle (El Mhamdi et al. 2018); n >= 4f + 3."""

    def __init__(self, *, byzantine: int, setup: Setup | None = None) -> None:
        super().__init__(rules.Bulyan(byzantine=byzantine), setup=setup)


class GeometricMedian(RuleStrategy):
    """The point nearest to all updates together (Pillutla et al. 2022, RFA)."""

    def __init__(self, *, setup: Setup | None = None) -> None:
        super().__init__(rules.GeometricMedian(), setup=setup)


class CentredClipping(RuleStrategy):
    """Clipped steps from a robust centre (Karimireddy et al. 2021)."""

    def __init__(
        self, *, radius: float | None = None, steps: int = 10, setup: Setup | None = None
    ) -> None:
        super().__init__(rules.CentredClipping(radius=radius, steps=steps), setup=setup)


class NearestNeighbourMixing(RuleStrategy):
    """NNM before a rule, the trimmed mean by default (Allouah et al. 2023); n > 2f."""

    def __init__(
        self,
        *,
        byzantine: int,
        rule: rules.AggregationRule | None = None,
        setup: Setup | None = None,
    ) -> None:
        inner = rule or rules.TrimmedMean(byzantine=byzantine)
        mixing = rules.NearestNeighbourMixing(inner=inner, byzantine=byzantine)
        super().__init__(mixing, setup=setup)


class NormClipping(RuleStrategy):
    """The mean of updates cut to one length, the median one by default (Sun et al. 2019)."""

    def __init__(self, *, length: float | None = None, setup: Setup | None = None) -> None:
        super().__init__(rules.NormClipping(length=length), setup=setup)


class FLTrust(RuleStrategy):
    """Updates weighed by agreement with the server's own (Cao et al. 2021).

    Parameters
    ----------
    root : RootUpdate
        Trains the model that was sent on the server's root data and returns the result.
    setup : Setup, optional
        As in :class:`RuleStrategy`.
    """

    def __init__(self, *, root: RootUpdate, setup: Setup | None = None) -> None:
        super().__init__(rules.FLTrust(), setup=setup, root=root)
