"""Every attack by name, and the grammar "2:sign_flip,5:label_flip"."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from parity_flwr.clients.attacks.base import Attack
from parity_flwr.clients.attacks.colluding import ALIE, IPM, Colluders, OnOff
from parity_flwr.clients.attacks.single import (
    FreeRider,
    GaussianNoise,
    LabelFlip,
    NaNAttack,
    Scaling,
    SignFlip,
)
from parity_flwr.errors import ConfigError

ATTACKS: Final[Mapping[str, type[Attack]]] = MappingProxyType(
    {
        "sign_flip": SignFlip,
        "gaussian_noise": GaussianNoise,
        "scaling": Scaling,
        "label_flip": LabelFlip,
        "alie": ALIE,
        "ipm": IPM,
        "colluders": Colluders,
        "free_rider": FreeRider,
        "nan": NaNAttack,
        "on_off": OnOff,
    }
)
"""Name -> class; each class has defaults for all its parameters."""


def parse_attackers(text: str, *, classes: int = 10) -> dict[int, Attack]:
    """Read which partition attacks how.

    Parameters
    ----------
    text : str
        "PARTITION:NAME" entries between commas; empty for none. Names are those of
        :data:`ATTACKS`, with their default parameters.
    classes : int
        How many classes flipped labels have.

    Raises
    ------
    ConfigError
        If an entry is malformed, a name unknown or a partition named twice.

    Examples
    --------
    >>> parse_attackers("2:sign_flip, 5:label_flip")
    {2: SignFlip(scale=1.0), 5: LabelFlip(classes=10)}
    """
    attackers: dict[int, Attack] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        partition, _, name = (part.strip() for part in entry.partition(":"))
        if not _is_partition(partition) or name not in ATTACKS or int(partition) in attackers:
            raise ConfigError(
                f"attackers need PARTITION:NAME, each partition once, of {', '.join(ATTACKS)}",
                came=repr(entry[:60]),
                action="change attackers, for example to 2:sign_flip,5:label_flip",
            )
        flips = ATTACKS[name] is LabelFlip
        attackers[int(partition)] = LabelFlip(classes=classes) if flips else ATTACKS[name]()
    return attackers


def _is_partition(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
