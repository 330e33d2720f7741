"""Accuracy against epsilon: DP-FedAvg, local DP and example-level DP on the same clients.

``parity bench privacy --part dp --data DIR`` prints the table of docs/privacy.md. Every client
is a real torch client on the in-process engine, every strategy the shipped one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from parity_flwr.app.compare.data import read_npz
from parity_flwr.app.datasets import Federation
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.partition import iid
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
SEEDS = (0, 1)
_CLIENTS, _ROUNDS = 100, 10
_CLIP = 0.5  # of a client's update
_GRADIENT = 1.0  # of an example's gradient
_OWN = LocalTraining(epochs=2, batch_size=20, learning_rate=0.3)
_STEP = LocalTraining(steps=5, batch_size=10**6, learning_rate=2.0)  # each on everything


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The clients and the length of every run."""

    data: Federation
    clients: int
    rounds: int
    seed: int


Make = Callable[[Scene, float], tuple[ClientApp, Strategy]]
Images = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]


def measure_dp(
    folder: Path, *, quick: bool, report: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Return each method's mean test accuracy as ``dp.METHOD.EPSILON``, and how it was made.

    100 clients with equal parts of MNIST's training images, 10 rounds, delta 1e-5, two
    seeds; ``quick`` takes 4 clients, 2 rounds, one seed and epsilon 1 only.

    Parameters
    ----------
    folder : Path
        Holds ``mnist.npz`` (x_train, y_train, x_test, y_test).
    quick : bool
        For tests of the figures' names.
    report : callable
        Gets a line for each run.

    Raises
    ------
    DataError
        If the file cannot be read.
    MissingExtraError
        If torch or Opacus is not installed.
    """
    clients, rounds = (4, 2) if quick else (_CLIENTS, _ROUNDS)
    epsilons, seeds = ((1.0,), (0,)) if quick else (EPSILONS, SEEDS)
    images = read_npz(folder / "mnist.npz")
    table: dict[str, list[float]] = {}
    for seed in seeds:
        scene = _scene(images, clients=clients, rounds=rounds, seed=seed)
        for name, accuracy in _table(scene, epsilons, report):
            table.setdefault(name, []).append(round(accuracy, 4))
    figures: dict[str, Any] = {name: float(np.mean(each)) for name, each in table.items()}
    setting = {"clients": clients, "rounds": rounds, "delta": DELTA, "seeds": list(seeds)}
    return {**figures, "dp.runs": {**setting, "examples": len(images[1]), "accuracy": table}}


def _scene(images: Images, *, clients: int, rounds: int, seed: int) -> Scene:
    x_train, y_train, x_test, y_test = images
    parts = iid(y_train, parts=clients, rng=np.random.default_rng(seed))
    data = Federation(x_train, y_train, x_test, y_test, parts)
    return Scene(data=data, clients=clients, rounds=rounds, seed=seed)


def _table(
    scene: Scene, epsilons: Sequence[float], report: Callable[[str], None]
) -> Iterator[tuple[str, float]]:
    """Run every method at every epsilon; without privacy there is one run only."""
    for method, make in METHODS.items():
        for epsilon in [math.inf] if method == "none" else epsilons:
            started = time.monotonic()
            accuracy = _accuracy(scene, make(scene, epsilon))
            name = f"dp.{method}" if method == "none" else f"dp.{method}.{epsilon:g}"
            took = time.monotonic() - started
            report(f"{name}, seed {scene.seed}: {accuracy:.3f} in {took:.0f} s")
            yield name, accuracy


def _accuracy(scene: Scene, made: tuple[ClientApp, Strategy]) -> float:
    app, strategy = made
    arrays = initial_arrays(_model(scene), seed=scene.seed)
    record = ArrayRecord({name: Array(each) for name, each in arrays.items()})
    with InProcessGrid(app, scene.clients) as grid:
        result = strategy.start(grid, record, num_rounds=scene.rounds)
    trained = {name: each.numpy() for name, each in result.arrays.items()}
    test = Examples(scene.data.x_test, scene.data.y_test)
    return evaluate_arrays(_model(scene), trained, test)[1]


def _model(scene: Scene) -> Any:
    data = scene.data
    return mlp(data.x_train.shape[1], hidden=(), classes=int(data.y_train.max()) + 1)


def _plain_app(scene: Scene, *, inner: Sequence[Mod] = ()) -> ClientApp:
    def make(context: Context) -> Client:
        part = Examples(*scene.data.client(int(context.node_config["partition-id"])))
        client = TorchClient(
            _model(scene), train=part, test=part, context=context, training=_OWN
        )
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
            _model(scene),
            train=part,
            test=part,
            context=context,
            training=_STEP,
            privacy=privacy,
        )
        return client.to_client()

    return ClientApp(make, mods=parity_mods()), _average()


METHODS: dict[str, Make] = {
    "none": _nothing,
    "fedavg": _central,
    "local": _local,
    "example": _example,
}
"""How each row's clients and strategy are made."""
