"""A client that releases noisy sums over its rows, and nothing else."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.clients.tables import Table
from parity_flwr.core.privacy.ledger import Budget, Charge, Ledger, Unit
from parity_flwr.core.privacy.parameters import checked_delta
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.privacy.sums_release import SumsRelease
from parity_flwr.core.wire import ROUND, RUN

Scalar = bool | bytes | float | int | str


class ReleaseClient(NumPyClient):
    """Answer with noisy sums: X'X and X'y, or the leaf counts of shared trees.

    The release is charged to the client's ledger before its noise is drawn. A second
    request is answered with fresh noise, which is charged again: as a rule that is beyond
    the budget, and an error. The number of examples that is sent is 1, whatever the client
    holds: sums add up, and one without rows sends noise alone, like the others.

    ``evaluate`` is left out: a score on a client's data is not covered.

    Parameters
    ----------
    release : SumsRelease
        What is summed, and its noise: :class:`LinearRelease` or :class:`ForestRelease`.
    train : Table
        Local data without missing values; y as the release wants it.
    context : Context
        The node's context.
    budget : Budget
        The most that may be spent; the unit is one example.
    ledger_file : Path, optional
        Where the ledger outlives the SuperNode; ``Context.state`` otherwise.
    noise_seed : bytes, optional
        For tests only: whoever knows it can subtract the noise.

    Raises
    ------
    ConfigError
        If delta is 1 / examples or more.

    Examples
    --------
    >>> from flwr.app import Context, RecordDict
    >>> from parity_flwr.core.privacy.ledger import Budget, Unit
    >>> from parity_flwr.core.privacy.linear_release import LinearRelease
    >>> release = LinearRelease.promising(2, epsilon=1.0, delta=1e-5)
    >>> data = Table(np.eye(2, dtype=np.float32), np.array([1.0, 0.5]))
    >>> context = Context(1, 1, {"partition-id": 0}, RecordDict(), {})
    >>> budget = Budget(epsilon=1.0, delta=1e-5, unit=Unit.EXAMPLE)
    >>> client = ReleaseClient(release, train=data, context=context, budget=budget)
    >>> (sums,), examples, _ = client.fit([np.zeros(9)], {})
    >>> sums.shape, examples, round(client.ledger.spent(), 2)
    ((9,), 1, 1.0)
    """

    def __init__(
        self,
        release: SumsRelease,
        *,
        train: Table,
        context: Context,
        budget: Budget,
        ledger_file: Path | None = None,
        noise_seed: bytes | None = None,
    ) -> None:
        checked_delta(budget.delta, units=max(1, len(train)))
        self._release = release
        self._train = train
        self._partition = context.node_config["partition-id"]
        self._ledger = ClientLedger(budget, context, ledger_file)
        self._noise_seed = noise_seed

    @property
    def ledger(self) -> Ledger:
        """What was charged so far."""
        return self._ledger.ledger

    def fit(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[Any]], int, dict[str, Scalar]]:
        """Charge the release, draw its noise, return the sums, and 1.

        Raises
        ------
        BudgetError
            The budget does not cover it.
        """
        run, round_ = str(config.get(RUN, "")), int(config.get(ROUND, 0))
        self._ledger.charge(
            Charge(
                run=run,
                round=round_,
                client=f"client-{self._partition}",
                mechanism=self._release.mechanism,
                noise_multiplier=self._release.noise_multiplier,
                unit=Unit.EXAMPLE,
                release=self._ledger.next_release(run, round_),
            )
        )
        stream = RandomStream(self._noise_seed or secrets.token_bytes(32))
        sums = self._release.drawn(self._train.x, self._train.y, stream=stream)
        return [np.asarray(sums, np.float64)], 1, {}
