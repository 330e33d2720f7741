"""What a client remembers between the stages of one session, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from parity_flwr.core.secagg.messages import (
    PAIR_BYTES,
    Advertisement,
    pack_advertisements,
    pack_ids,
    unpack_advertisements,
    unpack_ids,
)
from parity_flwr.core.secagg.own_secrets import SharePair
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.quantise import MOST_ADDENDS
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.sharing.shamir import SHARE_BYTES, share_bytes, share_from_bytes
from parity_flwr.errors import ConfigError


class Stage(StrEnum):
    """What the client did last."""

    ADVERTISED = "advertised"
    SHARED = "shared"
    MASKED = "masked"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, kw_only=True)
class ClientState:
    """One client in the middle of a session. ``root`` and ``held`` are secret."""

    stage: Stage
    session: Session
    participant: int
    root: bytes = field(repr=False)
    advertisements: tuple[Advertisement, ...] = ()
    held: Mapping[int, SharePair] = field(default_factory=dict, repr=False)
    survivors: tuple[int, ...] = ()

    @cached_property
    def participants(self) -> Participants:
        """Everybody in the session."""
        return Participants(self.session, self.advertisements)

    def require(self, stage: Stage) -> None:
        """Refuse a stage that is asked twice or out of order."""
        if self.stage is not stage:
            raise ConfigError(
                f"this stage of secure aggregation needs a client that has {stage.value}",
                came=f"one that has {self.stage.value}",
                action="begin a new round: no stage is answered twice",
            )

    def to_record(self) -> dict[str, Any]:
        """Return plain values to store."""
        pairs = b"".join(share_bytes(a) + share_bytes(b) for a, b in self.held.values())
        return {
            **self.session.to_record(),
            "stage": self.stage.value,
            "participant": pack_ids([self.participant]),
            "root": self.root,
            "advertisements": pack_advertisements(self.advertisements),
            "held-of": pack_ids(self.held),
            "held": pairs,
            "survivors": pack_ids(self.survivors),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ClientState:
        """Read what :meth:`to_record` returned."""
        pairs = [
            (
                share_from_bytes(record["held"][k : k + SHARE_BYTES]),
                share_from_bytes(record["held"][k + SHARE_BYTES : k + PAIR_BYTES]),
            )
            for k in range(0, len(record["held"]), PAIR_BYTES)
        ]
        (participant,) = unpack_ids(record["participant"])
        return cls(
            stage=Stage(record["stage"]),
            session=Session.from_record(record),
            participant=participant,
            root=record["root"],
            advertisements=unpack_advertisements(record["advertisements"], most=MOST_ADDENDS),
            held=dict(zip(unpack_ids(record["held-of"]), pairs, strict=True)),
            survivors=unpack_ids(record["survivors"]),
        )
