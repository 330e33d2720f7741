"""One round of our secure aggregation: the shipped mod and sum, with both sides timed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from parity_flwr.app.bench.metered import MeteredGrid, RoundMeter
from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid
from parity_flwr.clients import SecAggMod
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.secagg.messages import MaskedInput
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.trust import GivenKeys
from parity_flwr.core.secagg.update import configuration_hash, mean_update, summed_length
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.core.wire import MASKED_ARRAY, SECAGG_RECORD
from parity_flwr.errors import RunError
from parity_flwr.strategies.arrays import read_arrays
from parity_flwr.strategies.conversation import Conversation, secagg_record
from parity_flwr.strategies.secure_sum import SecureSum, complaints

_RANGE = 8.0  # Flower's default
_TIMEOUT_S = 600.0
_ARRAY = "w"


class OwnSecagg:
    """One round among clients that have trained already.

    After :meth:`run`, ``meter`` says what it cost.

    Parameters
    ----------
    updates : sequence of ndarray of float32, shape (d,)
        One for each client; all weigh alike.
    degree : int
        Neighbours of each client; 0 = everybody.
    """

    def __init__(self, updates: Sequence[NDArray[np.float32]], *, degree: int = 0) -> None:
        self._updates = updates
        self._degree = degree
        self._model = {_ARRAY: np.zeros(updates[0].size, np.float32)}
        self._signers = [Ed25519Signer.generate() for _ in updates]
        self.meter = RoundMeter()

    def run(self) -> NDArray[np.float64]:
        """Return the mean of the updates; RunError if the sum was lost."""
        count = len(self._updates)
        with InProcessGrid(self._app(), count) as grid:
            nodes = tuple(grid.get_node_ids())
            with self.meter.over(grid) as metered:
                return self._round(SecureSum(self._session(count), nodes), metered)

    def _round(self, one: SecureSum, grid: MeteredGrid) -> NDArray[np.float64]:
        conversation = Conversation(grid, _TIMEOUT_S)
        conversation.begin([one])
        model = ArrayRecord({name: Array(each) for name, each in self._model.items()})
        replies = grid.send_and_receive(
            [_train(node, model, record) for node, record in one.ask_masked().items()]
        )
        one.take_masked({each.metadata.src_node_id: _masked(each) for each in replies})
        conversation.finish([one])
        if one.opened is None:
            came = one.lost.reason if one.lost else "nothing"
            raise RunError("a secure sum needs to be opened", came=came, action="report it")
        found = mean_update(one.session, one.opened.words, clients=len(one.survivors))
        if isinstance(found, str):
            raise RunError("a secure sum needs to be sound", came=found, action="report it")
        return found.update

    def _session(self, count: int) -> Session:
        return Session(
            run_id="bench",
            round=1,
            nonce=secrets.token_bytes(16),
            base_hash=model_hash(self._model),
            config_hash=configuration_hash({"config": {}}),
            length=summed_length(self._model),
            addends=count,
            clipping_range=_RANGE,
            degree=self._degree,
        )

    def _app(self) -> ClientApp:
        peers = GivenKeys(frozenset(each.public_key for each in self._signers))
        app = ClientApp(mods=[self.meter.watch, SecAggMod(self._signer, peers=peers)])

        @app.train()
        def train(message: Message, context: Context) -> Message:
            update = self._updates[context.node_id - FIRST_NODE_ID]
            arrays = ArrayRecord({_ARRAY: Array(update)})
            metrics = MetricRecord({"num-examples": 1})
            content = RecordDict({"arrays": arrays, "metrics": metrics})
            return Message(content, reply_to=message)

        return app

    def _signer(self, context: Context) -> Ed25519Signer:
        return self._signers[context.node_id - FIRST_NODE_ID]


def _train(node: int, model: ArrayRecord, record: dict[str, object]) -> Message:
    stage = ConfigRecord(record)  # type: ignore[arg-type]
    content = RecordDict({"arrays": model, "config": ConfigRecord({}), SECAGG_RECORD: stage})
    return Message(content, node, "train")


def _masked(reply: Message) -> MaskedInput:
    told = complaints(secagg_record(reply))
    if isinstance(told, str):
        raise RunError("a client needs to mask", came=told, action="report it")
    return MaskedInput(read_arrays(reply.content.array_records["arrays"])[MASKED_ARRAY], told)
