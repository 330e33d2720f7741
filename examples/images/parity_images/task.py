"""The learning task: where the images come from, who has which, and the network."""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from pathlib import Path

import numpy as np
from flwr.app import Context

from parity_flwr.app.compare.data import read_npz
from parity_flwr.app.datasets import mnist, stratified_split
from parity_flwr.app.partition import dirichlet
from parity_flwr.clients import Examples, LocalTraining, cnn
from parity_flwr.errors import ConfigError
from parity_images.hub import load_hub, load_hub_test

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Source:
    """Which images, and how they are divided; the same on the server and on every client."""

    data: str
    dataset: str
    seed: int
    alpha: float
    most: int

    @classmethod
    def of(cls, context: Context) -> "Source":
        """Read the run config."""
        config = context.run_config
        source = cls(
            data=str(config["data"]),
            dataset=str(config["dataset"]),
            seed=int(config["seed"]),
            alpha=float(config["dirichlet-alpha"]),
            most=int(config["max-train-examples"]),
        )
        if source.data and source.dataset:
            raise ConfigError(
                "images need one source",
                came="data and dataset",
                action="leave one of them out",
            )
        return source


@lru_cache(maxsize=1)  # a simulation's worker plays many clients; they share one data set
def _arrays(data: str, seed: int, most: int) -> tuple[Arrays, Arrays]:
    """Return training and test data, inputs of shape (n, channels, height, width)."""
    rng = np.random.default_rng(seed)
    if data:
        x_train, y_train, x_test, y_test = read_npz(Path(data))
    else:
        x, y = mnist()
        train, test = stratified_split(y, test_share=0.2, rng=np.random.default_rng(0))
        x_train, y_train, x_test, y_test = x[train], y[train], x[test], y[test]
    rows = rng.permutation(len(y_train))[:most]
    rest = rng.permutation(len(y_test))[: max(1000, most // 4)]
    return (pictures(x_train[rows]), y_train[rows]), (pictures(x_test[rest]), y_test[rest])


def pictures(rows: np.ndarray) -> np.ndarray:
    """Turn rows of pixels, colours last, into squares around 0 as a network wants them."""
    for channels in (1, 3):
        side = isqrt(rows.shape[1] // channels)
        if channels * side * side == rows.shape[1]:
            squares = rows.reshape(-1, side, side, channels).transpose(0, 3, 1, 2)
            return np.ascontiguousarray((squares - 0.5) / 0.5, dtype=np.float32)
    raise ConfigError(
        "images need to be square, grey or in three colours",
        came=f"{rows.shape[1]} numbers each",
        action="cut or pad them",
    )


def load_data(context: Context) -> tuple[Examples, Examples]:
    """Return the client's training and test examples."""
    source = Source.of(context)
    clients = int(context.node_config["num-partitions"])
    index = int(context.node_config["partition-id"])
    if source.dataset:
        rows, labels = load_hub(
            source.dataset, clients=clients, index=index, alpha=source.alpha, seed=source.seed
        )
        x, y = pictures(rows)[: source.most // clients], labels[: source.most // clients]
    else:
        (x_all, y_all), _ = _arrays(source.data, source.seed, source.most)
        rng = np.random.default_rng([source.seed, 1])
        least = min(20, len(y_all) // (4 * clients))
        parts = dirichlet(y_all, parts=clients, alpha=source.alpha, min_size=least, rng=rng)
        x, y = x_all[parts[index]], y_all[parts[index]]
    in_test = np.arange(len(y)) % 5 == 0
    return Examples(x[~in_test], y[~in_test]), Examples(x[in_test], y[in_test])


def load_central_test(context: Context) -> Examples:
    """Return images that no client has."""
    source = Source.of(context)
    if source.dataset:
        rows, labels = load_hub_test(source.dataset, most=max(1000, source.most // 4))
        return Examples(pictures(rows), labels)
    return Examples(*_arrays(source.data, source.seed, source.most)[1])


def network_for(examples: Examples, classes: int):
    """Return the factory of a small convolutional network for such images."""
    channels, height, width = examples.x.shape[1:]
    return cnn((channels, height, width), channels=(8, 16), classes=classes, batch_norm=False)


def training_of(context: Context) -> LocalTraining:
    """Return how a client trains in one round."""
    config = context.run_config
    return LocalTraining(
        seed=int(config["seed"]),
        epochs=int(config["local-epochs"]),
        batch_size=int(config["batch-size"]),
        learning_rate=float(config["learning-rate"]),
    )
