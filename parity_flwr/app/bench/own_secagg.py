"""One round of our secure aggregation, stage by stage, with both sides timed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.secagg import client, opening, server
from parity_flwr.core.secagg.messages import (
    Deal,
    Release,
    pack_advertisements,
    pack_ids,
    unpack_advertisements,
)
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.state import ClientState
from parity_flwr.core.secagg.trust import GivenKeys
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import RunError

Result = TypeVar("Result")
_RANGE = 8.0  # Flower's default


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

    def run(self) -> NDArray[np.float64]:
        """Return the mean of the updates."""
        count, length = len(self.updates), self.updates[0].size
        session = Session(
            run_id="bench", round=1, nonce=secrets.token_bytes(16), base_hash="",
            config_hash="", length=length, addends=count, clipping_range=_RANGE,
        )  # fmt: skip
        signers = [Ed25519Signer.generate() for _ in range(count)]
        trust = GivenKeys(frozenset(each.public_key for each in signers))
        policy, ids = SecAggPolicy(), range(count)
        advertised = {
            k: self._client(
                client.advertise, session,
                participant=k, signer=signers[k], draw=secrets.token_bytes, policy=policy,
            )
            for k in ids
        }  # fmt: skip
        packed = pack_advertisements(ad for _, ad in advertised.values())
        received = unpack_advertisements(packed, most=count)
        everybody, _ = self._server(
            server.collect_advertisements,
            session,
            {each.participant: each for each in received},
        )
        deals = {}
        for k in ids:
            shared = self._client(
                client.share_keys, advertised[k][0], unpack_advertisements(packed, most=count),
                signer=signers[k], trust=trust, draw=secrets.token_bytes, policy=policy,
            )  # fmt: skip
            self._states[k], deals[k] = shared[0], shared[1].to_record()
        read = {k: Deal.from_record(each, neighbours=count - 1) for k, each in deals.items()}
        dealt = self._server(server.collect_deals, everybody, read)
        inputs, sealed = {}, 0
        for k in ids:
            delivery = self._server(dealt.delivery, k)
            sealed = sum(len(each) + 8 for each in delivery.values())
            self._states[k], inputs[k] = self._client(self._mask, k, session, delivery)
        summed, _ = self._server(server.collect_masked, dealt, inputs)
        signed = {}
        for k in ids:
            self._states[k], signed[k] = self._client(
                client.confirm, self._states[k], summed.survivors,
                signer=signers[k], policy=policy,
            )  # fmt: skip
        released = {
            k: self._client(client.unmask, self._states[k], signed).to_record() for k in ids
        }
        found = {k: Release.from_record(each) for k, each in released.items()}
        opened = self._server(opening.open_sum, summed, found)
        if isinstance(opened, opening.Lost):
            raise RunError("the sum needs to be opened", came=opened.reason, action="report it")
        small = (packed, *deals[0].values(), *released[0].values(), signed[0] * (count + 1))
        self.bytes_sent = (
            inputs[0].words.nbytes
            + sum(len(each) for each in small)
            + sealed
            + len(pack_ids(summed.survivors)) * 2
        )
        return self._server(session.quantiser.dequantise, opened.words) / count

    def _mask(
        self, k: int, session: Session, delivery: dict[int, bytes]
    ) -> tuple[ClientState, client.MaskedInput]:
        words = session.quantiser.quantise(self.updates[k]).words
        return client.mask(self._states[k], words, delivery)

    def _client(
        self, function: Callable[..., Result], *args: object, **named: object
    ) -> Result:
        result, self.client_s = _timed(function, args, named, self.client_s)
        return result

    def _server(self, function: Callable[..., Result], *args: object) -> Result:
        result, self.server_s = _timed(function, args, {}, self.server_s)
        return result


def _timed(
    function: Callable[..., Result],
    args: Sequence[object],
    named: dict[str, object],
    before: float,
) -> tuple[Result, float]:
    started = time.process_time()
    result = function(*args, **named)
    return result, before + time.process_time() - started
