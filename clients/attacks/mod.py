"""Client mods that turn chosen partitions of a federation into attackers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from flwr.app import Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.attacks.base import Attack, Update, applied, difference
from parity_flwr.clients.attacks.rehearsal import Rehearsal
from parity_flwr.clients.messages import (
    array_record,
    array_record_of,
    arrays_of,
    category,
    partition_of,
    round_of,
    with_node_config,
    with_record,
)
from parity_flwr.errors import ConfigError

Knowledge = Literal["colluders", "all"]
ENGINE = "parity-engine"
IN_PROCESS = "inprocess"


class AttackMod:
    """Let some partitions attack; every other one is untouched.

    An attacker trains as it should (on flipped labels in a data attack) and sends another
    update instead. What its friends would have sent it finds out by training on their data
    itself, in a scratch context with their partition id and an empty state: this needs no
    shared memory and works on every engine, and the real state of nobody is touched. The
    result is a function of (seed, round, partition) and of the clients.

    Put it before the adapter and after identity and signing: attackers sign what they send.

    Parameters
    ----------
    attackers : mapping of int to Attack
        Which partition attacks how.
    seed : int, keyword-only
        Seed of the attacks' random numbers.
    knowledge : {"colluders", "all"}
        With "all" the attackers also know the honest updates, as the literature assumes;
        in-process engine only.
    num_partitions : int
        Size of the federation.

    Raises
    ------
    ConfigError
        If an attacker is not a partition of the federation, the seed is negative or
        ``knowledge`` unknown; on the first attack, if ``knowledge`` is "all" on another
        engine than the in-process one.

    Examples
    --------
    >>> from parity_flwr.clients.attacks import SignFlip
    >>> mod = AttackMod({2: SignFlip()}, seed=0, num_partitions=10)
    """

    def __init__(
        self,
        attackers: Mapping[int, Attack],
        *,
        seed: int,
        knowledge: Knowledge = "colluders",
        num_partitions: int,
    ) -> None:
        _check(attackers, seed=seed, knowledge=knowledge, num_partitions=num_partitions)
        self._attackers = dict(sorted(attackers.items()))
        self._seed = seed
        self._knowledge = knowledge
        self._num_partitions = num_partitions
        self._rehearsal = Rehearsal()

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Call the next mod; replace the update if this partition attacks in this round."""
        partition = partition_of(context)
        attack = None if partition is None else self._attackers.get(partition)
        if partition is None or attack is None or category(message) != MessageType.TRAIN:
            return call_next(message, context)
        if not attack.strikes(round_of(message)):
            return call_next(message, context)
        received = arrays_of(message)
        # Friends first: after its own training a client may have changed the message.
        colluders, honest = self._friends(attack, message, context, call_next)
        reply = call_next(message, with_node_config(context, attack.node_config))
        if reply.has_error() or attack.on_data:
            return reply
        returned = arrays_of(reply)
        update = attack.craft(
            difference(returned, received),
            colluders=colluders,
            honest=honest,
            rng=np.random.default_rng([self._seed, round_of(message), partition]),
        )
        crafted = array_record(applied(received, returned, update))
        return with_record(reply, array_record_of(reply)[0], crafted)

    def _friends(
        self, attack: Attack, message: Message, context: Context, call_next: ClientAppCallable
    ) -> tuple[list[Update], list[Update] | None]:
        if not attack.needs_colluders:
            return [], None

        def rehearse(partitions: Iterable[int]) -> list[Update]:
            return self._rehearsal.updates(partitions, message, context, call_next)

        colluders = rehearse(self._attackers)
        if self._knowledge == "colluders":
            return colluders, None
        _require_in_process(context)
        honest = (p for p in range(self._num_partitions) if p not in self._attackers)
        return colluders, rehearse(honest)


def _require_in_process(context: Context) -> None:
    engine = context.node_config.get(ENGINE)
    if engine != IN_PROCESS:
        raise ConfigError(
            "attackers that know the honest updates need the in-process engine",
            came=f"{ENGINE} = {engine!r}",
            action="use --engine inprocess, or knowledge='colluders'",
        )


def _check(
    attackers: Mapping[int, Attack], *, seed: int, knowledge: str, num_partitions: int
) -> None:
    outside = sorted(p for p in attackers if not 0 <= p < num_partitions)
    if outside:
        raise ConfigError(
            f"attackers need partition ids from 0 to {num_partitions - 1}",
            came=f"{outside}",
            action="change the attackers or the number of clients",
        )
    if seed < 0:
        raise ConfigError(
            "an attack's seed needs to be >= 0", came=f"{seed}", action="change it"
        )
    if knowledge not in ("colluders", "all"):
        raise ConfigError(
            "knowledge needs to be 'colluders' or 'all'",
            came=repr(knowledge),
            action="change knowledge",
        )
