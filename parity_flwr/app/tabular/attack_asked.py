"""What `--attack KIND:FRACTION` asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity_flwr.clients.attacks import ATTACKS
from parity_flwr.errors import ConfigError

LABEL_FLIP = "label_flip"
_OTHER_NAMES = {"noise": "gaussian_noise"}
_TOGETHER = ("alie",)  # one alone would be honest


@dataclass(frozen=True)
class AttackAsked:
    """A kind of attack, and which share of the clients attacks.

    Parameters
    ----------
    kind : str
        A name of :data:`parity_flwr.clients.attacks.ATTACKS`.
    fraction : float
        Between 0 and 1; at least one client attacks, and at least one does not.

    Raises
    ------
    ConfigError
        If there is no such kind, or no such share.
    """

    kind: str
    fraction: float

    def __post_init__(self) -> None:
        if self.kind not in ATTACKS or not 0 < self.fraction < 1:
            raise ConfigError(
                "an attack is KIND:FRACTION, a fraction between 0 and 1 and a kind of "
                f"{', '.join(ATTACKS)}",
                came=f"{self.kind!r:.40} and {self.fraction:g}",
                action="change --attack, for example to sign_flip:0.3",
            )

    @classmethod
    def parse(cls, text: str | None) -> AttackAsked | None:
        """Return what the option asks for; None for no attack.

        Examples
        --------
        >>> AttackAsked.parse("label-flip:0.2")
        AttackAsked(kind='label_flip', fraction=0.2)
        """
        if text is None:
            return None
        name, _, share = text.partition(":")
        kind = name.strip().replace("-", "_")
        try:
            fraction = float(share)
        except ValueError:
            fraction = np.nan
        return cls(_OTHER_NAMES.get(kind, kind), fraction)

    def places(self, clients: int, *, seed: int) -> tuple[int, ...]:
        """Return who attacks, drawn by the seed, in ascending order.

        Raises
        ------
        ConfigError
            If that leaves nobody honest, or one attacker of a kind that takes two.
        """
        count = max(1, round(self.fraction * clients))
        least = 2 if self.kind in _TOGETHER else 1
        if not least <= count < clients:
            raise ConfigError(
                f"{self.kind} needs {least} attackers or more, and an honest client",
                came=f"{count} of {clients} clients",
                action="change --attack or --clients",
            )
        rng = np.random.default_rng([seed, 2])
        return tuple(sorted(rng.choice(clients, count, replace=False).tolist()))
