"""The participants of a session, as everybody sees them."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from parity_flwr.core.integrity import length_prefixed
from parity_flwr.core.secagg.graph import neighbours, weakest_cut
from parity_flwr.core.secagg.messages import Advertisement, pack_advertisements
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS, Session, quorum
from parity_flwr.errors import ConfigError

_DOMAIN: Final = b"parity-flwr/secagg/transcript/v1"


@dataclass(frozen=True)
class Participants:
    """Everybody whose keys were passed on, and what follows from that alone.

    Parameters
    ----------
    session : Session
        What was announced.
    advertisements : tuple of Advertisement
        Ascending by participant.

    Raises
    ------
    ConfigError
        If they are too few or too many, out of order, or two share a key.
    """

    session: Session
    advertisements: tuple[Advertisement, ...]

    def __post_init__(self) -> None:
        found = [each.participant for each in self.advertisements]
        if not LEAST_PARTICIPANTS <= len(found) <= self.session.addends:
            raise _refusal(
                f"from {LEAST_PARTICIPANTS} to {self.session.addends} participants",
                f"{len(found)}",
            )
        if found != sorted(set(found)):
            raise _refusal("participants in ascending order", "another order")
        keys = [key for each in self.advertisements for key in (each.mask_key, each.wrap_key)]
        identities = {each.identity for each in self.advertisements}
        if len(set(keys)) != len(keys) or len(identities) != len(found):
            raise _refusal("fresh keys of different identities", "one key twice")

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """All participants, ascending."""
        return tuple(each.participant for each in self.advertisements)

    @cached_property
    def ranks(self) -> dict[int, int]:
        """Each participant's place among them, from 0; a share's point is the next number."""
        return {each: rank for rank, each in enumerate(self.ids)}

    @cached_property
    def transcript(self) -> bytes:
        """SHA-256 over the session and everybody's keys: all keys and signatures bind it."""
        packed = pack_advertisements(self.advertisements)
        return hashlib.sha256(length_prefixed(_DOMAIN, self.session.digest, packed)).digest()

    @cached_property
    def _graph(self) -> tuple[tuple[int, ...], ...]:
        return neighbours(len(self.ids), degree=self.session.degree, seed=self.transcript)

    @property
    def is_complete(self) -> bool:
        """Whether everybody masks with everybody."""
        return len(self._graph[0]) == len(self.ids) - 1

    @property
    def quorum(self) -> int:
        """How many must survive, and confirm it."""
        return quorum(len(self.ids))

    def of(self, participant: int) -> Advertisement:
        """Return one participant's keys."""
        return self.advertisements[self.ranks[participant]]

    def neighbours(self, participant: int) -> tuple[int, ...]:
        """Return whom a participant masks with, ascending."""
        return self._neighbours[self.ranks[participant]]

    @cached_property
    def _neighbours(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(self.ids[rank] for rank in each) for each in self._graph)

    def holders(self, participant: int) -> tuple[int, ...]:
        """Return who holds shares of a participant's secrets: its neighbours and itself."""
        if self.is_complete:
            return self.ids
        return tuple(sorted((*self.neighbours(participant), participant)))

    def fixed_to(self, dealer: int) -> tuple[int, ...]:
        """Return whose shares of a dealer's secrets follow from keys, the dealer first.

        They are one less than the threshold: any such values and the secret make a sharing.
        """
        return self._from_own(dealer)[: self.threshold(dealer) - 1]

    def sealed_to(self, dealer: int) -> tuple[int, ...]:
        """Return to whom a dealer seals the other shares, in the order of its deal."""
        return self._from_own(dealer)[self.threshold(dealer) - 1 :]

    def is_fixed(self, dealer: int, holder: int) -> bool:
        """Say whether a holder derives its share of a dealer's secrets."""
        holders = self.holders(dealer)
        steps = bisect_left(holders, holder) - bisect_left(holders, dealer)
        return steps % len(holders) < self.threshold(dealer) - 1

    def _from_own(self, dealer: int) -> tuple[int, ...]:
        # From its own place on, so that everybody derives as many shares as it is sent.
        holders = self.holders(dealer)
        place = bisect_left(holders, dealer)
        return holders[place:] + holders[:place]

    def weakest_cut(self, survivors: Collection[int]) -> int:
        """Return how many survivors stand between two parts of a sparse graph at least."""
        ranks = {self.ranks[each] for each in survivors}
        return weakest_cut(
            len(self.ids), degree=self.session.degree, seed=self.transcript, present=ranks
        )

    def threshold(self, participant: int) -> int:
        """Return how many holders give a secret back.

        More than two thirds when all hold shares; more than half in a sparse graph, where
        two thirds of one neighbourhood may drop out by chance (the survivors that a quorum
        of all participants confirmed bind the neighbourhoods there).
        """
        holders = len(self._graph[self.ranks[participant]]) + 1
        return quorum(holders) if self.is_complete else holders // 2 + 1


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(
        f"a secure sum needs {needed}", came=came, action="leave the round: do not send"
    )
