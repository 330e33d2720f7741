"""Reputation-enhanced federated averaging under its own name."""

from __future__ import annotations

from typing import Unpack

from flwr.serverapp.strategy import FedAvg

from parity_flwr.strategies.options import Options
from parity_flwr.strategies.reputation import Reputation


class ReputationFedAvg(Reputation):
    """Reputation-enhanced federated averaging: ``Reputation(FedAvg(...))`` (Algorithm 1).

    Parameters
    ----------
    weighted_by_key, arrayrecord_key, configrecord_key : str
        Names in the messages, as in Flower's ``FedAvg``.
    **options : Options
        As in :class:`Reputation`; ``sampling`` is Flower's by default.

    Examples
    --------
    >>> ReputationFedAvg(mode="paper", seed=1, journal=None).inner.__class__.__name__
    'FedAvg'
    """

    def __init__(
        self,
        *,
        weighted_by_key: str = "num-examples",
        arrayrecord_key: str = "arrays",
        configrecord_key: str = "config",
        **options: Unpack[Options],
    ) -> None:
        inner = FedAvg(
            weighted_by_key=weighted_by_key,
            arrayrecord_key=arrayrecord_key,
            configrecord_key=configrecord_key,
        )
        super().__init__(inner, **options)
