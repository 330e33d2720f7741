"""A private model from one release: noisy sums of each client, which add up.

What one client sends, what such sums can be at all, and which model their mean gives. The
same object serves clients and server: everything in it is public.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.stream import RandomStream

SUMS = "sums"
"""Name of the one array that travels."""

Arrays = Mapping[str, NDArray[Any]]
Sums = NDArray[np.float64]

FAILURE = 1e-9
"""Probability with which the noise of an honest client looks like none."""


class SumsRelease(Protocol):
    """Sums over a client's rows, with the noise that hides each of them.

    One row moves the sums by the sensitivity at most, whatever the number of rows.
    """

    @property
    def mechanism(self) -> Mechanism:
        """Which noise."""
        ...

    @property
    def noise_multiplier(self) -> float:
        """Noise over sensitivity."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the sums."""
        ...

    def drawn(
        self, x: NDArray[np.floating[Any]], y: NDArray[Any], *, stream: RandomStream
    ) -> Sums:
        """Return the noisy sums of these rows; there may be none."""
        ...

    def complaint(self, sums: Sums) -> str:
        """Return why no rows and no noise could give these finite sums, empty if some can."""
        ...


def no_sums(release: SumsRelease) -> dict[str, Sums]:
    """Return the arrays that a run starts from: sums of no rows, without noise."""
    return {SUMS: np.zeros(release.shape)}
