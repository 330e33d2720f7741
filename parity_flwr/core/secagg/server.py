"""The server's side: collect each stage, go on without who is missing, open the sum.

Nothing here raises because of what a client sent: whoever sends nonsense is left out and
named with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.secagg.messages import Advertisement, Deal, MaskedInput
from parity_flwr.core.secagg.own_secrets import is_usable
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS, Session

Reasons = dict[int, str]
"""Why a participant was left out, by participant."""


@dataclass(frozen=True)
class Lost:
    """A sum that cannot be had, and who is to blame if that is known."""

    reason: str
    culprits: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dealt:
    """A session after the second stage: who dealt, and what."""

    participants: Participants
    deals: Mapping[int, Deal]

    @cached_property
    def _deliveries(self) -> dict[int, dict[int, bytes]]:
        found: dict[int, dict[int, bytes]] = {each: {} for each in self.participants.ids}
        for dealer, deal in sorted(self.deals.items()):
            for holder in self.participants.fixed_to(dealer)[1:]:
                found[holder][dealer] = b""
            to = self.participants.sealed_to(dealer)
            for holder, sealed in zip(to, deal.sealed, strict=True):
                found[holder][dealer] = sealed
        return found

    def delivery(self, participant: int) -> dict[int, bytes]:
        """Return the sealed shares for one participant, by dealer; empty: it derives them."""
        return self._deliveries[participant]


@dataclass(frozen=True)
class Summed:
    """A session after the third stage: the masked sum, and whose vectors are in it.

    ``complaints`` are, by survivor, the dealers that it did not mask with.
    """

    dealt: Dealt
    survivors: tuple[int, ...]
    total: NDArray[np.uint32]
    complaints: Mapping[int, frozenset[int]]

    def masked_with(self, survivor: int) -> frozenset[int]:
        """Return whom a survivor shares a mask with."""
        participants = self.dealt.participants
        dealers = set(participants.neighbours(survivor)) & set(self.dealt.deals)
        return frozenset(dealers) - self.complaints[survivor]

    def reveals(self, survivor: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return of whom a survivor reveals a seed's share, and of whom a key's."""
        held = sorted({survivor, *self.masked_with(survivor)})
        present = set(self.survivors)
        seeds = tuple(each for each in held if each in present)
        return seeds, tuple(each for each in held if each not in present)


def collect_advertisements(
    session: Session, replies: Mapping[int, Advertisement]
) -> tuple[Participants | Lost, Reasons]:
    """Return the participants: those whose keys are sound, signed and nobody else's."""
    reasons: Reasons = {}
    seen: set[bytes] = set()
    admitted = []
    for participant, each in sorted(replies.items()):
        keys = {each.mask_key, each.wrap_key, each.identity}
        if each.participant != participant or not each.is_signed(session.digest):
            reasons[participant] = "keys without a valid signature"
        elif len(keys) < 3 or keys & seen:
            reasons[participant] = "keys that another participant has"
        elif not (is_usable(each.mask_key) and is_usable(each.wrap_key)):
            reasons[participant] = "keys of small order"
        else:
            seen |= keys
            admitted.append(each)
    if not LEAST_PARTICIPANTS <= len(admitted) <= session.addends:
        return Lost(f"{len(admitted)} participants advertised usable keys"), reasons
    return Participants(session, tuple(admitted)), reasons


def collect_deals(participants: Participants, deals: Mapping[int, Deal]) -> Dealt | Lost:
    """Return who dealt; a quorum must, since as many must survive."""
    known = {each: deals[each] for each in participants.ids if each in deals}
    if len(known) < participants.quorum:
        return Lost(f"{len(known)} of {participants.quorum} participants dealt shares")
    return Dealt(participants, known)


def collect_masked(
    dealt: Dealt, inputs: Mapping[int, MaskedInput]
) -> tuple[Summed | Lost, Reasons]:
    """Add the masked vectors of those that can be unmasked together.

    Where one complains that another's shares are unusable, one of the two lies, and only
    one of them masked: whoever is part of most such pairs is left out first, and both of a
    pair that stands alone.
    """
    usable = {each: inputs[each] for each in dealt.deals if each in inputs}
    complaints = {
        each: frozenset(masked.complaints) & set(dealt.participants.neighbours(each))
        for each, masked in usable.items()
    }
    reasons = _conflicts(complaints)
    survivors = tuple(sorted(set(usable) - set(reasons)))
    needed = dealt.participants.quorum
    if len(survivors) < needed:
        return Lost(f"{len(survivors)} of {needed} masked vectors came", reasons), reasons
    total = np.zeros(dealt.participants.session.length, np.uint32)
    for each in survivors:
        total += usable[each].words
    kept = {each: complaints[each] for each in survivors}
    return Summed(dealt, survivors, total, kept), reasons


def _conflicts(complaints: Mapping[int, frozenset[int]]) -> Reasons:
    """Return who is left out so that no survivor complains of another."""
    pairs = {
        frozenset((one, other))
        for one, others in complaints.items()
        for other in others
        if other in complaints and other != one
    }
    reasons: Reasons = {}
    while pairs:
        count: dict[int, int] = {}
        for each in (each for pair in pairs for each in pair):
            count[each] = count.get(each, 0) + 1
        most = max(count.values())
        worst = {each for each, times in count.items() if times == most}
        worst = worst if most == 1 else {min(worst)}
        reasons |= dict.fromkeys(worst, f"{most} peers and its shares disagree")
        pairs = {pair for pair in pairs if not pair & worst}
    return reasons
