"""Attacks by several clients together, and one that bides its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from parity_flwr.clients.attacks.base import (
    Attack,
    Update,
    deviation,
    known,
    mean,
    scaled,
)
from parity_flwr.clients.attacks.single import SignFlip
from parity_flwr.errors import ConfigError


def z_max(*, n: int, f: int) -> float:
    """Return how many standard deviations ALIE may shift the mean and still look median.

    Baruch, Baruch and Goldberg 2019 ("A Little Is Enough"), algorithm 3: with
    s = floor(n/2 + 1) - f supporters needed among n - f honest clients, the largest z with
    Phi(z) < (n - f - s)/(n - f).

    Parameters
    ----------
    n : int
        Clients.
    f : int
        Attackers among them, fewer than half.

    Examples
    --------
    >>> round(z_max(n=10, f=3), 4)
    0.18
    """
    if not 0 < f < n / 2:
        raise ConfigError("z_max needs 0 < f < n/2", came=f"n={n}, f={f}", action="change f")
    supporters = n // 2 + 1 - f
    share = (n - f - supporters) / (n - f)
    return NormalDist().inv_cdf(share) if share < 1 else float("inf")


class _Colluding(Attack):
    @property
    def needs_colluders(self) -> bool:
        """See :attr:`Attack.needs_colluders`."""
        return True


@dataclass(frozen=True, kw_only=True)
class ALIE(_Colluding):
    """A little is enough: mean - z * deviation of the honest updates (Baruch et al. 2019).

    The estimate is from the honest clients if the attackers know them, else from the
    attackers' own honest updates. ``z`` None takes :func:`z_max` of the ``n`` clients and
    the attackers at hand; the default 1.5 is stronger and easier to see. One attacker
    alone has no deviation to hide in, and is honest.
    """

    z: float | None = 1.5
    n: int | None = None

    def __post_init__(self) -> None:
        if self.z is None and self.n is None:
            raise ConfigError(
                "ALIE needs z, or the number of clients n to compute it",
                came="neither",
                action="give one of them",
            )

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        sample = known(colluders, honest)
        if len(sample) < 2:
            return own
        z = self._z(len(colluders))
        pairs = zip(mean(sample), deviation(sample), strict=True)
        return [average - z * spread for average, spread in pairs]

    def _z(self, attackers: int) -> float:
        return z_max(n=self.n or 0, f=attackers) if self.z is None else self.z


@dataclass(frozen=True, kw_only=True)
class IPM(_Colluding):
    """Inner product manipulation: -epsilon times the mean honest update (Xie et al. 2019)."""

    epsilon: float = 0.5

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return scaled(mean(known(colluders, honest)), -self.epsilon)


@dataclass(frozen=True, kw_only=True)
class Colluders(_Colluding):
    """Send one identical vector, -scale times the colluders' mean.

    Their distance to each other is 0, which fools P-5 at m = 1.
    """

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
        return scaled(mean(colluders), -self.scale)


@dataclass(frozen=True, kw_only=True)
class OnOff(Attack):
    """Be honest until trusted: ``inner`` strikes from round ``start`` on.

    With ``period`` p the attacker is honest again for p rounds after every p rounds of
    attack.
    """

    inner: Attack = field(default_factory=SignFlip)
    start: int = 6
    period: int | None = None

    def __post_init__(self) -> None:
        if self.period is not None and self.period < 1:
            raise ConfigError(
                "on-off needs a period of at least 1 round",
                came=repr(self.period),
                action="change period",
            )

    @property
    def needs_colluders(self) -> bool:
        """See :attr:`Attack.needs_colluders`."""
        return self.inner.needs_colluders

    @property
    def node_config(self) -> Mapping[str, int]:
        """See :attr:`Attack.node_config`."""
        return self.inner.node_config

    @property
    def on_data(self) -> bool:
        """See :attr:`Attack.on_data`."""
        return self.inner.on_data

    def strikes(self, server_round: int) -> bool:
        """See :meth:`Attack.strikes`."""
        since = server_round - self.start
        if since < 0:
            return False
        on = self.period is None or (since // self.period) % 2 == 0
        return on and self.inner.strikes(server_round)

    def craft(
        self,
        own: Update,
        *,
        colluders: Sequence[Update],
        honest: Sequence[Update] | None,
        rng: np.random.Generator,
    ) -> Update:
        """See :meth:`Attack.craft`."""
        return self.inner.craft(own, colluders=colluders, honest=honest, rng=rng)
