"""One release of each shipped mechanism, in this process, with its own code from end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid
from parity_flwr.app.engines.task_identity import task_identity
from parity_flwr.app.privacy_audit.settings import Promise
from parity_flwr.clients import (
    DPTorchClient,
    ExamplePrivacy,
    Examples,
    LocalDPMod,
    LocalTraining,
)
from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.core.wire import PARTITION_ID, ROUND
from parity_flwr.strategies import DPFedAvg, Sampling

if TYPE_CHECKING:
    from parity_flwr.clients.torch_model import ModelFactory

Values = NDArray[np.float32]
_NAME = "w"


def central_release(
    updates: Values, *, promise: Promise, clients: int, seed: bytes | None
) -> Values:
    """Return the noisy sum that a round of ``DPFedAvg`` releases.

    Parameters
    ----------
    updates : ndarray of float32, shape (n, d)
        What the n clients that take part send.
    clients : int
        The public number of clients; the mean is multiplied by it again.
    """
    privacy = CentralPrivacy(
        epsilon=promise.epsilon,
        delta=promise.delta,
        clip=promise.clip,
        clients=clients,
        rounds=1,
    )
    sampling = Sampling(min_available_nodes=1, min_train_nodes=0, fraction_evaluate=0.0)
    strategy = DPFedAvg(privacy, sampling=sampling, journal=None, noise_seed=seed)
    with InProcessGrid(_sender(updates), len(updates)) as grid:
        result = strategy.start(grid, _model(updates.shape[1]), num_rounds=1)
    return np.asarray(result.arrays[_NAME].numpy() * clients, np.float32)


def local_privacy(promise: Promise) -> LocalPrivacy:
    """Return the promise as ``LocalDPMod`` takes it."""
    return LocalPrivacy(
        epsilon=promise.epsilon, delta=promise.delta, clip=promise.clip, rounds=1
    )


def local_release(update: Values, *, privacy: LocalPrivacy, seed: bytes | None) -> Values:
    """Return what leaves a client with ``LocalDPMod``, less the model it got; shape (d,)."""
    mod = LocalDPMod(privacy, noise_seed=seed)
    config = ConfigRecord({ROUND: 1})
    content = RecordDict({"arrays": _model(update.size), "config": config})
    with task_identity(1):
        message = Message(content, FIRST_NODE_ID, "train")
        reply = mod(message, context(), lambda asked, _: _reply(asked, update))
    (record,) = reply.content.array_records.values()
    return np.asarray(record[_NAME].numpy(), np.float32)


def example_release(
    factory: ModelFactory,
    arrays: list[NDArray[Any]],
    examples: Examples,
    *,
    promise: Promise,
    seed: bytes | None,
) -> list[NDArray[Any]]:
    """Return the sum of gradients that one step of ``DPTorchClient`` on all examples shows.

    One array for each of ``arrays``: what the step changed, times the public -n.
    """
    privacy = ExamplePrivacy(
        epsilon=promise.epsilon, delta=promise.delta, clip=promise.clip, rounds=1
    )
    client = DPTorchClient(
        factory,
        train=examples,
        test=examples,
        context=context(),
        privacy=privacy,
        training=LocalTraining(steps=1, batch_size=len(examples), learning_rate=1.0),
        noise_seed=seed,
    )
    trained, count, _ = client.fit(arrays, {ROUND: 1})
    return [(old - new) * count for old, new in zip(arrays, trained, strict=True)]


def context() -> Context:
    """Return the context of a node that has seen nothing yet."""
    return Context(1, FIRST_NODE_ID, {PARTITION_ID: 0}, RecordDict(), {})


def _model(size: int) -> ArrayRecord:
    return ArrayRecord({_NAME: Array(np.zeros(size, np.float32))})


def _reply(message: Message, update: Values) -> Message:
    arrays = ArrayRecord({_NAME: Array(np.ascontiguousarray(update, np.float32))})
    told = MetricRecord({"num-examples": 1})
    return Message(RecordDict({"arrays": arrays, "metrics": told}), reply_to=message)


def _sender(updates: Values) -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return _reply(message, updates[int(context.node_config[PARTITION_ID])])

    return app
