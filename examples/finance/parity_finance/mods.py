"""What a run's configuration switches on at a bank: encryption, and free riding."""

from __future__ import annotations

from typing import ClassVar

from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients import AgreedSecret, EncryptionMod, derived_signer, derived_signers
from parity_flwr.clients.attacks import AttackMod, parse_attackers
from parity_flwr.clients.attacks.forests import (
    CopiedTrees,
    FlippedTraining,
    ForestAttack,
    ForestAttackMod,
)
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.errors import ConfigError

SIMULATED = b"keys of simulated banks: a real bank keeps a file of its own"
FOREST_ATTACKS: dict[str, ForestAttack] = {
    "FreeRider": CopiedTrees(),
    "LabelFlip": FlippedTraining(),
}


class ConfiguredEncryption:
    """Encrypt the update where the run says ``privacy = "he"``.

    The banks agree on a secret that the server never sees (X25519 offers, signed; each bank
    believes the keys of the other banks only, which it knows beforehand).
    """

    hiding: ClassVar[Hiding] = Hiding.HE

    def __init__(self) -> None:
        self._made: dict[int, EncryptionMod] = {}

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Encrypt, or pass on."""
        if context.run_config["privacy"] != "he":
            return call_next(message, context)
        banks = int(context.run_config["banks"])
        if banks not in self._made:
            peers = [derived_signer(SIMULATED, bank).public_key for bank in range(banks)]
            keys = AgreedSecret(derived_signers(SIMULATED), peers=peers)
            self._made[banks] = EncryptionMod(keys)
        return self._made[banks](message, context, call_next)


class FreeRiders:
    """Let the banks that "attackers" names do nothing, or worse, with either model."""

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Attack if the run's configuration says so."""
        config = context.run_config
        text, seed = str(config["attackers"]), int(config["seed"])
        if config["model"] == "forest":
            trees = ForestAttackMod(forest_attackers(text), seed=seed)
            return trees(message, context, call_next)
        found, banks = parse_attackers(text, classes=2), int(config["banks"])
        return AttackMod(found, seed=seed, num_partitions=banks)(message, context, call_next)


def forest_attackers(text: str) -> dict[int, ForestAttack]:
    """Return what the attackers of a run mean for trees.

    Raises
    ------
    ConfigError
        If an attack on updates has no counterpart.
    """
    asked = parse_attackers(text)
    names = {bank: type(attack).__name__ for bank, attack in asked.items()}
    unknown = sorted(set(names.values()) - set(FOREST_ATTACKS))
    if unknown:
        raise ConfigError(
            "attacks on a forest are free_rider and label_flip",
            came=", ".join(unknown),
            action="choose one of them, or the network",
        )
    return {bank: FOREST_ATTACKS[name] for bank, name in names.items()}
