"""Attacks on forests: tables of lies, copies, and validators that lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from flwr.app import ConfigRecord, Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from parity_flwr.clients.attacks.labels import FLIP_LABELS
from parity_flwr.clients.messages import (
    array_record,
    array_record_of,
    arrays_of,
    category,
    config_of,
    partition_of,
    round_of,
    with_node_config,
    with_record,
)
from parity_flwr.core.forest import WORST_LOSS, Forest, decode_forest, encode_forest
from parity_flwr.core.wire import TREE_LOSSES, TREE_SCORES
from parity_flwr.errors import ConfigError


class ForestAttack(ABC):
    """One way to send bad trees."""

    @property
    def node_config(self) -> Mapping[str, int]:
        """What a data attack adds to the node's configuration while it trains."""
        return {}

    @abstractmethod
    def craft(self, own: Forest, *, received: Forest, rng: np.random.Generator) -> Forest:
        """Return the forest to send.

        Parameters
        ----------
        own : Forest
            What honest training gave.
        received : Forest
            The model of the round.
        rng : numpy.random.Generator
            Seeded with (seed, round, partition).
        """


@dataclass(frozen=True, kw_only=True)
class FlippedLeaves(ForestAttack):
    """An honest structure whose leaf table says the opposite.

    Classes are answered in reverse, numbers mirrored at the root's mean. With ``careless``
    only the leaves change, and the inner nodes give it away.
    """

    careless: bool = False

    def craft(self, own: Forest, *, received: Forest, rng: np.random.Generator) -> Forest:
        """See :meth:`ForestAttack.craft`."""
        roots = np.repeat(np.cumsum(own.sizes) - own.sizes, own.sizes)
        values = own.nodes.values
        lies = 2 * values[roots] - values if own.schema.regression else values[:, ::-1]
        if self.careless:
            lies = np.where(own.nodes.is_leaf[:, None], lies, values)
        nodes = replace(own.nodes, values=np.ascontiguousarray(lies))
        return Forest(own.schema, own.sizes, nodes)


@dataclass(frozen=True, kw_only=True)
class FlippedTraining(ForestAttack):
    """Trees grown on labels ``classes - 1 - y`` (numbers: mirrored), sent as they are."""

    classes: int = 2

    @property
    def node_config(self) -> Mapping[str, int]:
        """See :attr:`ForestAttack.node_config`."""
        return {FLIP_LABELS: self.classes}

    def craft(self, own: Forest, *, received: Forest, rng: np.random.Generator) -> Forest:
        """See :meth:`ForestAttack.craft`."""
        return own


@dataclass(frozen=True)
class CopiedTrees(ForestAttack):
    """A free rider: the forest it was sent, else one tree of its own again and again."""

    def craft(self, own: Forest, *, received: Forest, rng: np.random.Generator) -> Forest:
        """See :meth:`ForestAttack.craft`."""
        return received if len(received) else own.chosen([0] * len(own))


class ForestAttackMod:
    """Let some partitions send bad trees, and lie as validators too if asked to.

    A lying validator praises the trees that its friends would send and damns all others: it
    knows them by their number in the message, which is sorted by identity, so it simply
    reports the opposite of what it measured.

    Put it before the adapter and after identity and signing.

    Parameters
    ----------
    attackers : mapping of int to ForestAttack
        Which partition attacks how.
    seed : int
        Seed of the attacks' random numbers.
    lying : bool
        Whether attackers also lie about others' trees.

    Raises
    ------
    ConfigError
        If the seed is negative.

    Examples
    --------
    >>> mod = ForestAttackMod({2: FlippedLeaves()}, seed=0)
    """

    def __init__(
        self, attackers: Mapping[int, ForestAttack], *, seed: int, lying: bool = False
    ) -> None:
        if seed < 0:
            raise ConfigError(
                "an attack's seed needs to be >= 0", came=f"{seed}", action="change it"
            )
        self._attackers = dict(attackers)
        self._seed = seed
        self._lying = lying

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Call the next mod; replace trees or scores if this partition attacks."""
        partition = partition_of(context)
        attack = None if partition is None else self._attackers.get(partition)
        if partition is None or attack is None:
            return call_next(message, context)
        if category(message) == MessageType.TRAIN:
            return self._train(attack, partition, message, context, call_next)
        reply = call_next(message, context)
        asked = TREE_SCORES in config_of(message)
        return _lie(reply) if self._lying and asked and not reply.has_error() else reply

    def _train(
        self,
        attack: ForestAttack,
        partition: int,
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
    ) -> Message:
        received = decode_forest(arrays_of(message))
        reply = call_next(message, with_node_config(context, attack.node_config))
        if reply.has_error():
            return reply
        rng = np.random.default_rng([self._seed, round_of(message), partition])
        crafted = attack.craft(decode_forest(arrays_of(reply)), received=received, rng=rng)
        return with_record(
            reply, array_record_of(reply)[0], array_record(encode_forest(crafted))
        )


def _lie(reply: Message) -> Message:
    for name, record in reply.content.config_records.items():
        told = record.get(TREE_LOSSES)
        if isinstance(told, bytes):
            lies = {**record, TREE_LOSSES: _opposite(np.frombuffer(told, "<f4"))}
            return with_record(reply, name, ConfigRecord(lies))
    return reply


def _opposite(losses: NDArray[np.float32]) -> bytes:
    """Return 0 for what guesses or does worse, and the most for the rest."""
    return np.where(losses >= 1, 0.0, WORST_LOSS).astype("<f4").tobytes()
