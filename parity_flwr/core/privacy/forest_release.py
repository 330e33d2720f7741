"""A random forest from one noisy release of each client: leaf counts of shared trees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest import Forest, ForestSchema
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.leaf_counts import SharedTrees, noisy_counts
from parity_flwr.core.privacy.parameters import checked_count, checked_epsilon, positive
from parity_flwr.core.privacy.shared_forest import counted_forest
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.privacy.sums_release import FAILURE, SUMS, Arrays, Sums
from parity_flwr.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class ForestRelease:
    """Leaf counts of trees from a public seed, with discrete Laplace noise: one release.

    Each row counts in one tree, drawn at random, so that it moves one count by 1. A
    :class:`~parity_flwr.core.privacy.sums_release.SumsRelease`.

    Parameters
    ----------
    trees : SharedTrees
        The same for everybody; ranges from public knowledge.
    classes : tuple
        Names of the classes, y being their indices; empty for a forest that predicts numbers.
    steps : tuple of float
        For numbers: what they are rounded to, rising, at least 2.
    noise_multiplier : float
        Noise over sensitivity, 1 / epsilon.
    most : int, optional
        The most rows of any client, if that is public: counts of more are refused.

    Examples
    --------
    >>> trees = SharedTrees(seed=1, trees=5, depth=3, low=np.zeros(2), high=np.ones(2))
    >>> ForestRelease(trees=trees, classes=("no", "yes"), noise_multiplier=0.5).shape
    (5, 8, 2)
    """

    trees: SharedTrees
    noise_multiplier: float
    classes: tuple[Any, ...] = ()
    steps: tuple[float, ...] = ()
    most: int | None = None

    def __post_init__(self) -> None:
        positive("noise_multiplier", self.noise_multiplier)
        checked_epsilon(self.epsilon)
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        finite = all(math.isfinite(each) for each in self.steps)
        if bool(self.classes) == bool(self.steps) or not (rising and finite):
            raise ConfigError(
                "a private forest needs classes, or rising steps of a number",
                came=f"{len(self.classes)} classes and the steps {self.steps!r:.80}",
                action="give one of them",
            )
        if len(self.steps) == 1:
            raise ConfigError(
                "steps of a number need to be two at least", came="1", action="give more"
            )
        if self.most is not None:
            checked_count("most", self.most)
        _ = self.schema

    @property
    def epsilon(self) -> float:
        """What the release costs each row; delta is 0."""
        return float(Fraction(1) / Fraction(self.noise_multiplier))

    @property
    def schema(self) -> ForestSchema:
        """What the forest predicts from what."""
        return ForestSchema.of(len(self.trees.low), self.classes)

    @property
    def mechanism(self) -> Mechanism:
        """Discrete Laplace noise."""
        return Mechanism.DISCRETE_LAPLACE

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the counts: trees, leaves, classes or steps."""
        return (self.trees.trees, 2**self.trees.depth, len(self.classes or self.steps))

    def drawn(
        self, x: NDArray[np.floating[Any]], y: NDArray[Any], *, stream: RandomStream
    ) -> Sums:
        """Return the noisy counts of these rows: whole numbers as float64."""
        counts = self.trees.disjoint_counts(
            np.asarray(x, np.float32),  # as forests see it when they predict
            self._labels(y),
            classes=self.shape[2],
            stream=stream,
        )
        noisy = noisy_counts(counts, epsilon=self.epsilon, sensitivity=1, stream=stream)
        return noisy.astype(np.float64)

    def complaint(self, sums: Sums) -> str:
        """Return why no rows could have these counts, empty if some can.

        Discrete Laplace noise is beyond t with a probability below 2 exp(-t epsilon); all
        counts together stay within what follows with a probability of 1 - 1e-9 at least.
        """
        scale = 1 / self.epsilon
        single = scale * math.log(2 * sums.size / FAILURE)
        together = scale * (10 * math.sqrt(2 * sums.size) + 50)
        if (sums != np.rint(sums)).any():
            return "counts that are not whole"
        if float(sums.min()) < -single:
            return "counts below what noise explains"
        if self.most is not None and float(sums.sum()) > self.most + together:
            return f"counts of more than {self.most} rows"
        return ""

    def fitted(self, arrays: Arrays, *, clients: int) -> Forest:
        """Return the forest, which :func:`parity_flwr.clients.to_sklearn` takes.

        Parameters
        ----------
        arrays : mapping
            The mean of the clients' counts, under "sums".
        clients : int
            How many it is the mean of.
        """
        counts = np.rint(arrays[SUMS] * checked_count("clients", clients)).astype(np.int64)
        return counted_forest(self.trees, counts, self.schema, steps=self.steps)

    def _labels(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return the class of each row, or the nearest step."""
        if self.classes:
            return np.asarray(y, np.int64)
        steps = np.asarray(self.steps)
        return np.searchsorted((steps[1:] + steps[:-1]) / 2, y).astype(np.int64)
