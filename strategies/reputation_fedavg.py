"""Reputation-enhanced federated averaging under its own name."""

from __future__ import annotations

from flwr.serverapp.strategy import FedAvg

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.measure import Rule
from parity_flwr.core.protocols import Journal
from parity_flwr.core.records import ReputationState
from parity_flwr.strategies.bookkeeping import AUTOMATIC, Automatic
from parity_flwr.strategies.facts import ScoreFunction
from parity_flwr.strategies.identity import IdentitySource
from parity_flwr.strategies.reputation import Reputation
from parity_flwr.strategies.sampling import Sampling


class ReputationFedAvg(Reputation):
    """Reputation-enhanced federated averaging: ``Reputation(FedAvg(...))`` (Algorithm 1).

    Parameters
    ----------
    sampling : Sampling, optional
        How many nodes each phase asks; Flower's defaults.
    weighted_by_key, arrayrecord_key, configrecord_key : str
        Names in the messages, as in Flower's ``FedAvg``.
    config, seed, journal, identity, rule, score, carried
        As in :class:`Reputation`.

    Examples
    --------
    >>> ReputationFedAvg(seed=1, journal=None).inner.__class__.__name__
    'FedAvg'
    """

    def __init__(
        self,
        *,
        sampling: Sampling | None = None,
        weighted_by_key: str = "num-examples",
        arrayrecord_key: str = "arrays",
        configrecord_key: str = "config",
        config: TrustConfig | None = None,
        seed: int | None = None,
        journal: Journal | Automatic | None = AUTOMATIC,
        identity: IdentitySource | None = None,
        rule: Rule | None = None,
        score: ScoreFunction | None = None,
        carried: ReputationState | None = None,
    ) -> None:
        inner = FedAvg(
            weighted_by_key=weighted_by_key,
            arrayrecord_key=arrayrecord_key,
            configrecord_key=configrecord_key,
        )
        super().__init__(
            inner,
            config=config,
            seed=seed,
            sampling=sampling or Sampling(),
            journal=journal,
            identity=identity,
            rule=rule,
            score=score,
            carried=carried,
        )
