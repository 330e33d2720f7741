"""Small federations under central DP, with clients that send what a test wants."""

from __future__ import annotations

from typing import Any

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

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.core.privacy.ledger import Charge, Spending
from parity_flwr.strategies import DPFedAvg
from trust_runs import ListJournal

SEED = bytes(range(32))
SIZE = 400


def promise(**changes: Any) -> CentralPrivacy:
    settings: dict[str, Any] = {
        "epsilon": 8.0,
        "delta": 1e-3,
        "clip": 1.0,
        "clients": 6,
        "rounds": 4,
    }
    return CentralPrivacy(**{**settings, **changes})


def model() -> ArrayRecord:
    return ArrayRecord({"w": Array(np.zeros(SIZE, np.float32)), "n": Array(np.array(7))})


def app_that_sends(step: Any) -> ClientApp:
    """Return clients that move every float by ``step(partition)`` and count integers up."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        arrays = {
            name: Array(np.asarray(each.numpy() + (step(partition) if name == "w" else 1)))
            for name, each in message.content.array_records["arrays"].items()
        }
        arrays["w"] = Array(arrays["w"].numpy().astype(np.float32))
        told = MetricRecord({"num-examples": 10**6 if partition == 0 else 1, "loss": 3.0})
        return Message(
            RecordDict({"arrays": ArrayRecord(arrays), "metrics": told}), reply_to=message
        )

    return app


def run(
    privacy: CentralPrivacy,
    app: ClientApp,
    *,
    rounds: int = 1,
    clients: int = 6,
    **options: Any,
) -> tuple[NDArray[np.float32], DPFedAvg, Any]:
    strategy = DPFedAvg(privacy, noise_seed=SEED, **{"journal": None, **options})
    with InProcessGrid(app, clients) as grid:
        result = strategy.start(grid, model(), num_rounds=rounds)
    return result.arrays["w"].numpy(), strategy, result


def honest_like() -> ClientApp:
    return app_that_sends(lambda p: 0.01 * (p + 1))


class ListJournalWithCharges(ListJournal):
    """A journal in memory that keeps charges."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: list[Charge] = []
        self.stated: list[Spending] = []

    def charges(self) -> tuple[Charge, ...]:
        return tuple(self.charged)

    def state_spending(self, spending: Spending) -> None:
        self.stated.append(spending)

    def charge(self, charge: Charge) -> None:
        self.charged.append(charge)


def app_with_identity(step: Any) -> ClientApp:
    app = app_that_sends(step)

    @app.query("parity_identity")
    def identify(message: Message, context: Context) -> Message:
        claim = ConfigRecord({"partition-id": int(context.node_config["partition-id"])})
        return Message(RecordDict({"parity": claim}), reply_to=message)

    return app
