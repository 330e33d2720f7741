"""Attacks by one client alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity_flwr.clients.attacks.base import Attack, Update, noise, norm, scaled
from parity_flwr.clients.attacks.labels import FLIP_LABELS


@dataclass(frozen=True, kw_only=True)
class SignFlip(Attack):
    """Send -scale times the honest update."""

    scale: float = 1.0

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return scaled(own, -self.scale)


@dataclass(frozen=True, kw_only=True)
class Scaling(Attack):
    """Send factor times the honest update, to own the mean."""

    factor: float = 10.0

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return scaled(own, self.factor)


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Attack):
    """Send a random direction whose norm is ``ratio`` times the honest update's."""

    ratio: float = 3.0

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        direction = noise(own, rng)
        return scaled(direction, self.ratio * norm(own) / max(norm(direction), 1e-300))


@dataclass(frozen=True, kw_only=True)
class FreeRider(Attack):
    """Send the model back unchanged, or with noise of this standard deviation."""

    noise: float = 0.0

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return scaled(noise(own, rng), self.noise)


@dataclass(frozen=True, kw_only=True)
class NaNAttack(Attack):
    """Send NaN everywhere; one such reply kills a plain mean."""

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return [np.full(np.shape(array), np.nan) for array in own]


@dataclass(frozen=True, kw_only=True)
class LabelFlip(Attack):
    """Train on labels classes - 1 - y, and send what comes out.

    A data attack: it sets "parity-flip-labels" in the node's configuration for the
    training, which :func:`~parity_flwr.clients.attacks.labels.attacked_labels` reads.
    """

    classes: int = 10

    @property
    def node_config(self) -> Mapping[str, int]:
        """See :attr:`Attack.node_config`."""
        return {FLIP_LABELS: self.classes}

    @property
    def on_data(self) -> bool:
        """See :attr:`Attack.on_data`."""
        return True

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return own
