"""One round of our secure aggregation, stage by stage, with both sides timed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.secagg import client, server
from parity_flwr.core.secagg.messages import (
    Deal,
    MaskedInput,
    Release,
    pack_advertisements,
    unpack_advertisements,
)
from parity_flwr.core.secagg.opening import open_sum
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.server import Dealt, Lost, Summed
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.state import ClientState
from parity_flwr.core.secagg.trust import GivenKeys
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import RunError

Result = TypeVar("Result")
_RANGE = 8.0  # Flower's default
_ID_BYTES = 8


@dataclass
class OwnSecagg:
    """Clients that have trained already and a server, without Flower's messages between.

    After :meth:`run`, ``client_s`` and ``server_s`` hold CPU seconds (all clients'
    together), ``bytes_sent`` what one client sends and gets in packed form, without the
    model.
    """

    updates: Sequence[NDArray[np.float32]]
    client_s: float = 0.0
    server_s: float = 0.0
    bytes_sent: int = 0
    _states: dict[int, ClientState] = field(default_factory=dict)
    _signers: list[Ed25519Signer] = field(default_factory=list)

    def run(self) -> NDArray[np.float64]:
        """Return the mean of the updates."""
        count = len(self.updates)
        session = Session(
            run_id="bench",
            round=1,
            nonce=secrets.token_bytes(16),
            base_hash="",
            config_hash="",
            length=self.updates[0].size,
            addends=count,
            clipping_range=_RANGE,
        )
        self._signers = [Ed25519Signer.generate() for _ in range(count)]
        dealt = self._share(session, self._advertise(session))
        summed = self._mask(session, dealt)
        words = self._unmask(summed)
        return self._server(partial(session.quantiser.dequantise, words)) / count

    def _advertise(self, session: Session) -> Participants:
        keys = {}
        for k, signer in enumerate(self._signers):
            self._states[k], keys[k] = self._client(
                partial(
                    client.advertise,
                    session,
                    participant=k,
                    signer=signer,
                    draw=secrets.token_bytes,
                    policy=SecAggPolicy(),
                )
            )
        self.bytes_sent += len(keys[0].pack())
        found = self._server(partial(server.collect_advertisements, session, keys))
        return _sound(found[0])

    def _share(self, session: Session, everybody: Participants) -> Dealt:
        packed = pack_advertisements(everybody.advertisements)
        trust = GivenKeys(frozenset(each.public_key for each in self._signers))
        deals = {}
        for k, signer in enumerate(self._signers):

            def share(k: int = k, signer: Ed25519Signer = signer) -> Mapping[str, bytes]:
                received = unpack_advertisements(packed, most=session.addends)
                self._states[k], deal, _ = client.share_keys(
                    self._states[k],
                    received,
                    signer=signer,
                    trust=trust,
                    draw=secrets.token_bytes,
                    policy=SecAggPolicy(),
                )
                return deal.to_record()

            deals[k] = self._client(share)
        self.bytes_sent += len(packed) + _size(deals[0])

        def collect() -> Dealt | Lost:
            last = session.addends - 1
            read = {k: Deal.from_record(each, neighbours=last) for k, each in deals.items()}
            return server.collect_deals(everybody, read)

        return _sound(self._server(collect))

    def _mask(self, session: Session, dealt: Dealt) -> Summed:
        inputs: dict[int, MaskedInput] = {}
        for k, update in enumerate(self.updates):
            delivery = self._server(partial(dealt.delivery, k))

            def mask(
                k: int = k,
                update: NDArray[np.float32] = update,
                delivery: Mapping[int, bytes] = delivery,
            ) -> MaskedInput:
                words = session.quantiser.quantise(update).words
                self._states[k], masked = client.mask(self._states[k], words, delivery)
                return masked

            inputs[k] = self._client(mask)
        sealed = self._server(partial(dealt.delivery, 0)).values()
        self.bytes_sent += inputs[0].words.nbytes
        self.bytes_sent += sum(len(each) + _ID_BYTES for each in sealed)
        found = self._server(partial(server.collect_masked, dealt, inputs))
        return _sound(found[0])

    def _unmask(self, summed: Summed) -> NDArray[np.uint32]:
        signed: dict[int, bytes] = {}
        for k, signer in enumerate(self._signers):
            self._states[k], signed[k] = self._client(
                partial(
                    client.confirm,
                    self._states[k],
                    summed.survivors,
                    signer=signer,
                    policy=SecAggPolicy(),
                )
            )
        released = {}
        for k, state in self._states.items():

            def unmask(state: ClientState = state) -> Mapping[str, bytes]:
                return client.unmask(state, signed).to_record()

            released[k] = self._client(unmask)
        lists = 2 * _ID_BYTES * len(summed.survivors)
        signatures = len(signed[0]) * (len(signed) + 1)
        self.bytes_sent += lists + signatures + _size(released[0])

        def read() -> NDArray[np.uint32]:
            found = {k: Release.from_record(each) for k, each in released.items()}
            return _sound(open_sum(summed, found)).words

        return self._server(read)

    def _client(self, function: Callable[[], Result]) -> Result:
        started = time.process_time()
        result = function()
        self.client_s += time.process_time() - started
        return result

    def _server(self, function: Callable[[], Result]) -> Result:
        started = time.process_time()
        result = function()
        self.server_s += time.process_time() - started
        return result


def _sound(outcome: Result | Lost) -> Result:
    """Return what a stage gave; RunError if it lost the sum."""
    if isinstance(outcome, Lost):
        raise RunError("a stage needs to go well", came=outcome.reason, action="report it")
    return outcome


def _size(record: Mapping[str, bytes]) -> int:
    return sum(len(each) for each in record.values())
