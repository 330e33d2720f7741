"""Linear regression from one noisy release of each client (AdaSSP, distributed)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.accounting import Mechanism, calibrated_multiplier
from parity_flwr.core.privacy.adassp import Bounds, statistics
from parity_flwr.core.privacy.noisy_statistics import (
    SENSITIVITY,
    fit_noisy,
    noisy_statistics,
    packed_length,
    unpacked,
)
from parity_flwr.core.privacy.parameters import checked_count, positive
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.privacy.sums_release import FAILURE, SUMS, Arrays, Sums


@dataclass(frozen=True, kw_only=True)
class LinearRelease:
    """X'X and X'y of rows inside public bounds, with Gaussian noise: one release.

    A :class:`~parity_flwr.core.privacy.sums_release.SumsRelease`.

    Parameters
    ----------
    features : int
        d, without the intercept's column.
    noise_multiplier : float
        Sigma over the sensitivity; :meth:`promising` calibrates it.
    bounds : Bounds
        Into what rows and targets are scaled: public knowledge.
    most : int, optional
        The most rows of any client, if that is public: sums of more are refused.

    Examples
    --------
    >>> release = LinearRelease.promising(3, epsilon=2.0, delta=1e-6)
    >>> release.shape, round(release.noise_multiplier, 2)
    ((14,), 2.23)
    """

    features: int
    noise_multiplier: float
    bounds: Bounds = field(default_factory=Bounds)
    most: int | None = None

    def __post_init__(self) -> None:
        checked_count("features", self.features)
        positive("noise_multiplier", self.noise_multiplier)
        if self.most is not None:
            checked_count("most", self.most)

    @classmethod
    def promising(
        cls,
        features: int,
        *,
        epsilon: float,
        delta: float,
        bounds: Bounds | None = None,
        most: int | None = None,
    ) -> LinearRelease:
        """Return the release that costs (epsilon, delta) for each row, alone."""
        return cls(
            features=features,
            noise_multiplier=calibrated_multiplier(epsilon, delta=delta, count=1),
            bounds=bounds or Bounds(),
            most=most,
        )

    @property
    def mechanism(self) -> Mechanism:
        """Gaussian noise."""
        return Mechanism.GAUSSIAN

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the packed statistics."""
        return (packed_length(self._columns),)

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise on each number of one client's sums."""
        return self.noise_multiplier * SENSITIVITY

    @property
    def _columns(self) -> int:
        return self.features + self.bounds.intercept

    def drawn(
        self, x: NDArray[np.floating[Any]], y: NDArray[Any], *, stream: RandomStream
    ) -> Sums:
        """Return the noisy packed statistics of these rows."""
        return noisy_statistics(
            statistics(x, np.asarray(y, np.float64), bounds=self.bounds),
            bounds=self.bounds,
            noise_multiplier=self.noise_multiplier,
            stream=stream,
        )

    def complaint(self, sums: Sums) -> str:
        """Return why no rows within the bounds could have these sums, empty if some can.

        X'X has no negative eigenvalue; n rows have a trace of n at most, with the intercept's
        column of n/2 at least, and an X'y no longer than n. All this up to what Gaussian
        noise exceeds with a probability below 1e-9 (its norm, by Laurent and Massart 2000,
        Lemma 1).
        """
        noise = 2 * self.sigma * (math.sqrt(len(sums)) + math.sqrt(-2 * math.log(FAILURE)))
        xx, xy = unpacked(sums)
        trace = float(np.trace(xx))
        if float(np.linalg.eigvalsh(xx)[0]) < -noise:
            return "X'X with a negative eigenvalue that noise does not explain"
        if self.most is not None and trace > self.most + noise:
            return f"statistics of more than {self.most} rows"
        if float(np.linalg.norm(xy)) > self._rows(trace + noise) + noise:
            return "X'y longer than the rows of X'X allow"
        return ""

    def _rows(self, trace: float) -> float:
        """Return the most rows that a trace of X'X can come from."""
        known = math.inf if self.most is None else float(self.most)
        return min(known, max(0.0, 2 * trace)) if self.bounds.intercept else known

    def fitted(self, arrays: Arrays, *, clients: int) -> dict[str, NDArray[np.float64]]:
        """Return the model: coef, shape (1, d), and intercept, shape (1,).

        Parameters
        ----------
        arrays : mapping
            The mean of the clients' sums, under "sums".
        clients : int
            How many it is the mean of: decides the ridge.
        """
        sigma = self.sigma / math.sqrt(checked_count("clients", clients))
        found = fit_noisy(arrays[SUMS], bounds=self.bounds, sigma=sigma)
        if not self.bounds.intercept:
            return {"coef": found[None, :], "intercept": np.zeros(1)}
        constant = self.bounds.x / math.sqrt(2)  # what stands in the intercept's column
        return {"coef": found[None, :-1], "intercept": found[-1:] * constant}
