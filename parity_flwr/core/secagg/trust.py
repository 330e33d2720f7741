"""Whose keys a client believes: what keeps a lying server from sitting in the middle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from parity_flwr.core.secagg.messages import Advertisement
from parity_flwr.errors import ConfigError


class Trust(Protocol):
    """Decides whether these participants are who they should be."""

    def admit(self, each: Iterable[Advertisement]) -> Mapping[int, bytes]:
        """Return the identities to remember, by participant; ConfigError to refuse."""
        ...


@dataclass(frozen=True)
class GivenKeys:
    """The keys of all clients, given to this one beforehand: no trust in the server.

    Parameters
    ----------
    keys : frozenset of bytes
        Ed25519 public keys, 32 bytes each.
    """

    keys: frozenset[bytes]

    def admit(self, each: Iterable[Advertisement]) -> Mapping[int, bytes]:
        """See :meth:`Trust.admit`."""
        for one in each:
            if one.identity not in self.keys:
                raise ConfigError(
                    "every participant needs a key from this client's list",
                    came=f"participant {one.participant} with another",
                    action="leave the round; add the key to the list if it is a new client's",
                )
        return {}


@dataclass(frozen=True)
class FirstUse:
    """Whoever takes part is believed at first sight and remembered: later no key changes.

    A server that replaces the keys of somebody met before is noticed. One that lies from
    the first round on, or invents participants that nobody has met, is not: that takes
    :class:`GivenKeys`.

    Parameters
    ----------
    known : mapping of int to bytes
        Identity keys remembered so far, by participant.
    """

    known: Mapping[int, bytes] = field(default_factory=dict)

    def admit(self, each: Iterable[Advertisement]) -> Mapping[int, bytes]:
        """See :meth:`Trust.admit`."""
        owners = {key: participant for participant, key in self.known.items()}
        found = dict(self.known)
        for one in each:
            known = self.known.get(one.participant, one.identity)
            if known != one.identity or owners.get(known, one.participant) != one.participant:
                raise ConfigError(
                    "a participant needs the key it had in earlier rounds",
                    came=f"participant {one.participant} with another",
                    action="leave the round: somebody may sit between the clients",
                )
            found[one.participant] = one.identity
        return found
