"""The two models: a network by rounds, and a forest that all banks plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_finance.banks import Market
from parity_flwr.clients import (
    Examples,
    ForestClient,
    ForestTraining,
    LocalTraining,
    Table,
    TorchClient,
    initial_arrays,
    mlp,
)
from parity_flwr.clients.torch_model import isolated, load_arrays
from parity_flwr.core.forest import (
    Forest,
    ForestSchema,
    decode_forest,
    encode_forest,
    forest_values,
)
from parity_flwr.errors import ConfigError

Arrays = dict[str, NDArray[Any]]
Config = Mapping[str, Any]
HIDDEN = (16,)
CLASSES = ("good", "bad")


class Model(Protocol):
    """What banks train, and what scores a customer."""

    def initial(self) -> Arrays:
        """Return the first model."""
        ...

    def client(self, train: Table, test: Table, context: Context) -> NumPyClient:
        """Return the client of one bank."""
        ...

    def scores(
        self, arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return for each row the probability of what is to be found."""
        ...


def model_of(config: Config, market: Market) -> Model:
    """Return the model that a run's configuration names.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    makers = {"network": Network, "forest": RandomForest}
    name = str(config["model"])
    if name not in makers:
        raise ConfigError(
            "model needs 'network' or 'forest'", came=repr(name)[:60], action="choose one"
        )
    return makers[name](config, market)


class Network:
    """A perceptron with one hidden layer; every bank takes the same number of steps."""

    def __init__(self, config: Config, market: Market) -> None:
        self._factory = mlp(len(market.features), hidden=HIDDEN, classes=2)
        self._seed = int(config["seed"])
        recipe = market.recipe
        self._most = recipe.most_weight
        self._bad_share = market.bad_share
        self._training = LocalTraining(
            seed=self._seed,
            steps=recipe.steps,
            batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
        )

    def initial(self) -> Arrays:
        """See :meth:`Model.initial`."""
        return initial_arrays(self._factory, seed=self._seed)

    def client(self, train: Table, test: Table, context: Context) -> NumPyClient:
        """See :meth:`Model.client`."""
        return TorchClient(
            self._factory,
            train=_examples(train),
            test=_examples(test),
            context=context,
            training=replace(self._training, loss=_balanced(train.y, self._most)),
        )

    def scores(
        self, arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]
    ) -> NDArray[np.float64]:
        """See :meth:`Model.scores`."""
        import torch

        with isolated(seed=0), torch.no_grad():
            model = self._factory()
            load_arrays(model, list(arrays.values()))
            model.eval()
            output = model(torch.tensor(np.asarray(x, np.float32))).double()
            logit = (output[:, 1] - output[:, 0]).numpy()
        logit = logit - np.log(_weight(self._bad_share, self._most))  # trained as if so many
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -700, 700))), np.float64)


class RandomForest:
    """Trees that the banks grow on their own customers and judge on everybody else's."""

    def __init__(self, config: Config, market: Market) -> None:
        self.schema = ForestSchema(len(market.features), CLASSES)
        self._training = ForestTraining(
            trees=int(config["trees"]),
            min_samples_leaf=3,
            seed=int(config["seed"]),
        )

    def initial(self) -> Arrays:
        """See :meth:`Model.initial`."""
        return dict(encode_forest(Forest.of(self.schema, [])))

    def client(self, train: Table, test: Table, context: Context) -> NumPyClient:
        """See :meth:`Model.client`."""
        return ForestClient(
            self.schema, train=train, test=test, context=context, training=self._training
        )

    def scores(
        self, arrays: Mapping[str, NDArray[Any]], x: NDArray[Any]
    ) -> NDArray[np.float64]:
        """See :meth:`Model.scores`; without trees everybody is as good as everybody."""
        forest = decode_forest(arrays, schema=self.schema)
        if not len(forest):
            return np.zeros(len(x))
        return np.asarray(forest_values(forest, np.asarray(x, np.float32))[:, 1], np.float64)


def _examples(table: Table) -> Examples:
    return Examples(np.asarray(table.x, np.float32), np.asarray(table.y, np.int64))


def _balanced(y: NDArray[Any], most: float) -> Any:
    """Return the cross-entropy in which both classes weigh the same, as far as ``most`` allows.

    Banks then agree on where the middle is, however many bad cases each has seen. Without
    this a bank with many refusals pushes against the others, and is taken for a liar.
    """
    weight = _weight(float(np.mean(y == 1)), most)

    def loss(output: Any, y: Any) -> Any:
        import torch

        weights = torch.tensor([1.0, weight], device=output.device)
        return torch.nn.functional.cross_entropy(output, y, weight=weights)

    return loss


def _weight(bad_share: float, most: float) -> float:
    """Return how often a bad case counts, so that bad and good ones weigh the same."""
    if not bad_share > 0:
        return most
    return min(max((1 - bad_share) / bad_share, 1 / most), most)
