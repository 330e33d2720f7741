"""What a strategy with secure aggregation is configured with, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from flwr.serverapp.strategy import Strategy

from parity_flwr.core.config import GateConfig, ReputationConfig, TrustConfig, WeightConfig
from parity_flwr.core.secagg.quantise import Quantiser
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.guarded import Guarded
from parity_flwr.strategies.inner import wrapped
from parity_flwr.strategies.resumable import Resumable
from parity_flwr.strategies.sampling import Sampling

_NEEDS_UPDATES = frozenset(
    {
        "Bulyan",
        "FedMedian",
        "FedTrimmedAvg",
        "FedXgbBagging",
        "FedXgbCyclic",
        "Krum",
        "MultiKrum",
        "QFedAvg",
    }
)
"""Flower's strategies that look at single updates."""


def equal_trust() -> TrustConfig:
    """Return the constants under which nobody's weight depends on what was seen of it.

    An update that nobody sees is neither penalised nor capped: n_k is bounded by the cap
    that clients apply themselves.
    """
    return TrustConfig(
        reputation=ReputationConfig(
            probation_rounds=0, exclusion_threshold=0.0, history_decay=1.0, adaptation_rate=0.0
        ),
        weights=WeightConfig(slope=0.0, max_share=1.0, examples_factor=1e9),
        gate=GateConfig(),
    )


@dataclass(frozen=True, kw_only=True)
class SecureSetup:
    """How sums are made.

    Parameters
    ----------
    clipping_range : float
        C, the largest magnitude of one number of a weighted update. Wide is cheap: an
        addend's error is C n / 2^32 or less.
    weight_cap : int
        An update counts min(n_k, cap)/cap, n_k staying secret; 0 = all count alike.
    degree : int
        Neighbours of each client; 0 = everybody. Clients refuse fewer than
        :func:`parity_flwr.core.secagg.graph.needed_degree` says.
    stage_timeout_s : float
        How long each of the four short stages waits.
    sampling : Sampling
        How many nodes each phase asks; at least 3 train.
    config : TrustConfig
        Its gate and quorum; weights and reputation stay as :func:`equal_trust` has them.
    """

    clipping_range: float = 8.0
    weight_cap: int = 0
    degree: int = 0
    stage_timeout_s: float = 600.0
    sampling: Sampling = field(
        default_factory=lambda: Sampling(
            min_train_nodes=LEAST_PARTICIPANTS, min_available_nodes=LEAST_PARTICIPANTS
        )
    )
    config: TrustConfig = field(default_factory=equal_trust)

    def __post_init__(self) -> None:
        Quantiser(clipping_range=self.clipping_range, addends=LEAST_PARTICIPANTS)
        for name, value in (("weight_cap", self.weight_cap), ("degree", self.degree)):
            if type(value) is not int or value < 0:
                raise ConfigError(
                    f"{name} needs an integer >= 0", came=repr(value)[:40], action="change it"
                )
        if not (math.isfinite(self.stage_timeout_s) and self.stage_timeout_s > 0):
            raise ConfigError(
                "stage_timeout_s needs seconds over 0",
                came=repr(self.stage_timeout_s)[:40],
                action="change it",
            )


def require_summable(inner: Strategy) -> None:
    """Refuse an inner strategy that needs single updates: here it gets their mean only.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAvg
    >>> require_summable(FedAvg())
    """
    refused = isinstance(inner, Guarded | Resumable)
    if refused or type(inner).__name__ in _NEEDS_UPDATES:
        raise ConfigError(
            "secure aggregation needs an inner strategy that works on the mean update",
            came=f"{type(inner).__name__}, which looks at single updates",
            action="use FedAvg, FedAvgM, FedAdam, FedAdagrad, FedYogi or FedProx; for "
            "robustness under encryption use SubgroupSecureAggregation",
        )
    for each in wrapped(inner).values():
        require_summable(each)
