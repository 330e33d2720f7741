"""A client that releases one noisy vector of sums over its rows, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.ledger import Charge, Unit
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.wire import ROUND, RUN

Release = Callable[[RandomStream], NDArray[np.float64]]
Scalar = bool | bytes | float | int | str


class OneRelease(NumPyClient):
    """Answers with noisy sums over n_k, so that averages by n_k are those of all rows.

    The release is charged before its noise is drawn. A second request, with fresh noise, is
    beyond the budget and answered with an error.

    Parameters
    ----------
    release : callable
        (stream) -> the noisy sums.
    examples : int
        n_k, which is public.
    context : Context
        The node's context.
    ledger : ClientLedger
        Where the release is charged.
    noise_multiplier : float
        Noise over sensitivity.
    mechanism : Mechanism
        Which noise.
    """

    def __init__(
        self,
        release: Release,
        *,
        examples: int,
        context: Context,
        ledger: ClientLedger,
        noise_multiplier: float,
        mechanism: Mechanism,
    ) -> None:
        self._release = release
        self._examples = examples
        self._partition = context.node_config["partition-id"]
        self._ledger = ledger
        self._multiplier = noise_multiplier
        self._mechanism = mechanism

    def fit(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[Any]], int, dict[str, Scalar]]:
        """Charge the release, draw its noise, return the sums over n_k, and n_k.

        Raises
        ------
        BudgetError
            It was answered before.
        """
        if not self._examples:
            return parameters, 0, {}
        run, round_ = str(config.get(RUN, "")), int(config.get(ROUND, 0))
        self._ledger.charge(
            Charge(
                run=run,
                round=round_,
                client=f"client-{self._partition}",
                mechanism=self._mechanism,
                noise_multiplier=self._multiplier,
                unit=Unit.EXAMPLE,
                release=self._ledger.next_release(run, round_),
            )
        )
        sums = self._release(RandomStream(secrets.token_bytes(32)))
        return [(sums / self._examples).reshape(parameters[0].shape)], self._examples, {}
