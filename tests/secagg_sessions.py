"""One secure sum without Flower: clients and server as pure functions."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.secagg import client, server
from parity_flwr.core.secagg.messages import Advertisement, Deal, MaskedInput, Release
from parity_flwr.core.secagg.opening import Opened, open_sum
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.server import Dealt, Lost, Summed
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.state import ClientState
from parity_flwr.core.secagg.trust import FirstUse, GivenKeys, Trust
from parity_flwr.core.signatures import Ed25519Signer

Words = NDArray[np.uint32]
POLICY = SecAggPolicy()


def session(clients: int = 10, *, length: int = 5, degree: int = 0, round: int = 1) -> Session:
    return Session(
        run_id="run", round=round, nonce=secrets.token_bytes(16), base_hash="00",
        config_hash="", length=length, addends=clients, clipping_range=1.0, degree=degree,
    )  # fmt: skip


def signer(participant: int) -> Ed25519Signer:
    return Ed25519Signer.from_seed(participant.to_bytes(32, "big"))


@dataclass
class Sum:
    """A session in progress: the states, and everything that was sent."""

    session: Session
    states: dict[int, ClientState] = field(default_factory=dict)
    keys: dict[int, Advertisement] = field(default_factory=dict)
    deals: dict[int, Deal] = field(default_factory=dict)
    inputs: dict[int, MaskedInput] = field(default_factory=dict)
    signed: dict[int, bytes] = field(default_factory=dict)
    words: dict[int, Words] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        return GivenKeys(frozenset(signer(each).public_key for each in self.keys))

    def advertise(self, ids: Iterable[int]) -> Participants:
        for each in ids:
            self.states[each], self.keys[each] = client.advertise(
                self.session,
                participant=each,
                signer=signer(each),
                draw=secrets.token_bytes,
                policy=POLICY,
            )
        participants, reasons = server.collect_advertisements(self.session, self.keys)
        assert isinstance(participants, Participants)
        assert reasons == {}
        return participants

    def share(
        self,
        each: int,
        advertisements: Iterable[Advertisement],
        *,
        trust: Trust | None = None,
        policy: SecAggPolicy = POLICY,
    ) -> None:
        self.states[each], self.deals[each], _ = client.share_keys(
            self.states[each],
            tuple(advertisements),
            signer=signer(each),
            trust=trust or FirstUse(),
            policy=policy,
        )

    def mask(self, each: int, delivery: Mapping[int, bytes]) -> None:
        words = np.random.default_rng(each).integers(
            0, 2**32, self.session.length, dtype=np.uint32
        )
        self.words[each] = words
        self.states[each], self.inputs[each] = client.mask(self.states[each], words, delivery)

    def confirm(self, each: int, survivors: Iterable[int]) -> None:
        self.states[each], self.signed[each] = client.confirm(
            self.states[each], tuple(survivors), signer=signer(each), policy=POLICY
        )

    def expected(self, survivors: Iterable[int]) -> Words:
        zero = np.zeros(self.session.length, np.uint32)
        return sum((self.words[each] for each in survivors), zero)


def until_masked(
    clients: int = 10,
    *,
    degree: int = 0,
    absent: Mapping[str, Iterable[int]] | None = None,
) -> tuple[Sum, Dealt]:
    """Run the first three stages; ``absent`` names who drops out at "share" or "mask"."""
    gone = {stage: set(each) for stage, each in (absent or {}).items()}
    made = Sum(session(clients, degree=degree))
    everybody = made.advertise(range(100, 100 + clients))
    for each in set(everybody.ids) - gone.get("share", set()):
        made.share(each, everybody.advertisements)
    dealt = server.collect_deals(everybody, made.deals)
    assert isinstance(dealt, Dealt)
    for each in set(made.deals) - gone.get("mask", set()):
        made.mask(each, dealt.delivery(each))
    return made, dealt


def summed(made: Sum, dealt: Dealt) -> Summed:
    outcome, _ = server.collect_masked(dealt, made.inputs)
    assert isinstance(outcome, Summed)
    return outcome


def releases(made: Sum, done: Summed, absent: Iterable[int] = ()) -> dict[int, Release]:
    """Confirm and unmask with everybody but the absent."""
    there = [each for each in done.survivors if each not in set(absent)]
    for each in there:
        made.confirm(each, done.survivors)
    return {each: client.unmask(made.states[each], made.signed) for each in there}


def opened(made: Sum, done: Summed, absent: Iterable[int] = ()) -> Opened | Lost:
    return open_sum(done, releases(made, done, absent))
