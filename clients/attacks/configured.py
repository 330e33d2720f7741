"""The attack mod of an app that reads its attackers from the run configuration."""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.attacks.mod import AttackMod
from parity_flwr.clients.attacks.registry import parse_attackers
from parity_flwr.errors import ConfigError


class ConfiguredAttackMod:
    """An :class:`AttackMod` made from "attackers" and "seed" of the run's configuration.

    A ClientApp is made before its configuration is known, which is why this waits for the
    first message. ``num-partitions`` is read from the node's configuration; flipped labels
    have ``classes`` classes.

    Examples
    --------
    With ``attackers = "2:sign_flip,5:label_flip"`` in ``[tool.flwr.app.config]``:

    >>> from flwr.clientapp import ClientApp
    >>> app = ClientApp(mods=[ConfiguredAttackMod()])
    """

    def __init__(
        self, *, key: str = "attackers", seed_key: str = "seed", classes: int = 10
    ) -> None:
        self._key = key
        self._classes = classes
        self._seed_key = seed_key
        self._made: tuple[tuple[str, int, int], AttackMod] | None = None

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Attack if the run's configuration says so."""
        text = str(context.run_config.get(self._key, ""))
        if not text.strip():
            return call_next(message, context)
        seed = int(context.run_config.get(self._seed_key, 0))
        return self._mod(text, seed, _partitions(context))(message, context, call_next)

    def _mod(self, text: str, seed: int, partitions: int) -> AttackMod:
        key = (text, seed, partitions)
        if self._made is None or self._made[0] != key:
            attackers = parse_attackers(text, classes=self._classes)
            mod = AttackMod(attackers, seed=seed, num_partitions=partitions)
            self._made = (key, mod)
        return self._made[1]


def _partitions(context: Context) -> int:
    value = context.node_config.get("num-partitions")
    if isinstance(value, (int, str)) and str(value).isdecimal():
        return int(value)
    raise ConfigError(
        "attackers by configuration need num-partitions in the node's configuration",
        came=repr(value),
        action="start the nodes with --node-config 'partition-id=0 num-partitions=10'",
    )
