"""The attack suite: how liars lie, for demos, experiments and tests.

Examples
--------
>>> from parity_flwr.clients.attacks import ALIE, AttackMod, LabelFlip, SignFlip
>>> attackers = {2: SignFlip(), 5: LabelFlip(classes=10), 7: ALIE(z=1.5)}
>>> mod = AttackMod(attackers, seed=0, num_partitions=10)
"""

from parity_flwr.clients.attacks.base import Attack, Update
from parity_flwr.clients.attacks.colluding import ALIE, IPM, Colluders, OnOff, z_max
from parity_flwr.clients.attacks.configured import ConfiguredAttackMod
from parity_flwr.clients.attacks.labels import FLIP_LABELS, attacked_labels
from parity_flwr.clients.attacks.mod import AttackMod
from parity_flwr.clients.attacks.registry import ATTACKS, parse_attackers
from parity_flwr.clients.attacks.single import (
    FreeRider,
    GaussianNoise,
    LabelFlip,
    NaNAttack,
    Scaling,
    SignFlip,
)

__all__ = [
    "ALIE",
    "ATTACKS",
    "FLIP_LABELS",
    "IPM",
    "Attack",
    "AttackMod",
    "Colluders",
    "ConfiguredAttackMod",
    "FreeRider",
    "GaussianNoise",
    "LabelFlip",
    "NaNAttack",
    "OnOff",
    "Scaling",
    "SignFlip",
    "Update",
    "attacked_labels",
    "parse_attackers",
    "z_max",
]
