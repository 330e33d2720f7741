"""A random forest as a NumPyClient: it grows trees, judges others', and evaluates the whole.

scikit-learn is imported when trees are grown, not with this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from flwr.app import Context
from flwr.client import NumPyClient
from numpy.typing import NDArray

from parity_flwr.clients.attacks.labels import attacked_targets
from parity_flwr.clients.forest_model import from_sklearn, require_sklearn
from parity_flwr.clients.messages import partition_of
from parity_flwr.clients.tables import Labels, Table
from parity_flwr.clients.torch_model import derive_seed
from parity_flwr.core.forest import (
    FIELDS,
    Forest,
    ForestLimits,
    ForestSchema,
    decode_forest,
    encode_forest,
    forest_loss,
    forest_values,
    tree_losses,
    tree_values,
)
from parity_flwr.core.wire import ROUND, TREE_LOSSES, TREE_SCORES
from parity_flwr.errors import ConfigError

Scalar = bool | bytes | float | int | str
MaxFeatures = float | int | Literal["sqrt", "log2"] | None


@dataclass(frozen=True, kw_only=True)
class ForestTraining:
    """How a client grows trees in one round.

    Parameters
    ----------
    trees : int
        How many.
    subsample : float
        Size of each tree's bootstrap sample as a share of the client's examples, in (0, 1].
    max_features : float, int, "sqrt", "log2" or None
        Features asked about at each node, as in scikit-learn. A third by default: trees
        grown on a tenth of the data lose more to bad questions than to likeness.
    max_depth : int, optional
        Most edges from root to leaf.
    min_samples_leaf : int
        Fewest examples in a leaf.
    seed : int
        With round and partition it decides every draw.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    trees: int = 10
    subsample: float = 1.0
    max_features: MaxFeatures = 1 / 3
    max_depth: int | None = None
    min_samples_leaf: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        depth = 1 if self.max_depth is None else self.max_depth
        checks = {
            "trees": self.trees >= 1,
            "subsample": 0 < self.subsample <= 1,
            "max_depth": depth >= 1,
            "min_samples_leaf": self.min_samples_leaf >= 1,
            "seed": self.seed >= 0,
        }
        for name, holds in checks.items():
            if not holds:
                raise ConfigError(
                    f"{name} is out of range",
                    came=repr(getattr(self, name)),
                    action=f"change {name}",
                )


class ForestClient(NumPyClient):
    """Grow a forest on local data; judge the trees of others on the same data.

    ``fit`` returns new trees as the arrays of :func:`parity_flwr.core.forest.encode_forest`,
    whatever forest it was sent, with the out-of-bag score among the metrics. ``evaluate``
    scores the forest as a whole, and each tree by itself if the message asks for it
    (:class:`parity_flwr.strategies.ForestBagging` does). Everything follows from (seed,
    round, partition) and the data.

    Parameters
    ----------
    schema : ForestSchema
        The federation's features and classes.
    train, test : Table
        Local data; trees of others are judged on the training part.
    context : Context
        The node's context: partition id and attack flag are read from its configuration.
    training : ForestTraining, optional
        How to grow trees.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Examples
    --------
    >>> from flwr.app import Context, RecordDict
    >>> data = Table(np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1]))
    >>> context = Context(1, 1, {"partition-id": 0}, RecordDict(), {})
    >>> schema = ForestSchema(4, ("no", "yes"))
    >>> client = ForestClient(schema, train=data, test=data, context=context)
    >>> arrays, examples, metrics = client.fit(client.get_parameters({}), {"server-round": 1})
    >>> len(decode_forest(dict(zip(FIELDS, arrays)))), examples, list(metrics)
    (10, 4, ['oob-score'])
    """

    def __init__(
        self,
        schema: ForestSchema,
        *,
        train: Table,
        test: Table,
        context: Context,
        training: ForestTraining | None = None,
    ) -> None:
        require_sklearn()
        self._schema = schema
        self._train, self._test = train, test
        self._context = context
        self._training = training or ForestTraining()

    def get_parameters(self, config: dict[str, Scalar]) -> list[NDArray[Any]]:
        """Return the arrays of a forest without trees."""
        return list(encode_forest(Forest.of(self._schema, [])).values())

    def fit(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[list[NDArray[Any]], int, dict[str, Scalar]]:
        """Return new trees, n_k, and their out-of-bag score (accuracy or R^2)."""
        if not len(self._train):
            return self.get_parameters({}), 0, {}
        seed = derive_seed(
            self._training.seed, int(config.get(ROUND, 0)), partition_of(self._context) or 0
        )
        data = Table(
            self._train.x,
            attacked_targets(self._train.y, self._context, regression=self._schema.regression),
        )
        forest, score = grow(data, self._schema, self._training, seed=seed)
        metrics: dict[str, Scalar] = {} if math.isnan(score) else {"oob-score": score}
        return list(encode_forest(forest).values()), len(data), metrics

    def evaluate(
        self, parameters: list[NDArray[Any]], config: dict[str, Scalar]
    ) -> tuple[float, int, dict[str, Scalar]]:
        """Return loss, number of examples and accuracy or R^2; or each tree's loss."""
        arrays = dict(zip(FIELDS, parameters, strict=True))
        forest = decode_forest(arrays, schema=self._schema, limits=ForestLimits())
        if TREE_SCORES in config:
            losses = tree_losses(forest, self._train.x, self._train.y)
            told = b"" if losses is None else losses.astype("<f4").tobytes()
            return 0.0, len(self._train), {TREE_LOSSES: told}
        loss = forest_loss(forest, self._test.x, self._test.y)
        return loss, len(self._test), forest_score(forest, self._test)


def grow(
    data: Table, schema: ForestSchema, training: ForestTraining, *, seed: int
) -> tuple[Forest, float]:
    """Return a forest grown on the data, and its out-of-bag score.

    The score is accuracy, or R^2; NaN if no example was out of any bag.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if schema.regression else RandomForestClassifier
    # max_samples=1.0 takes another way through scikit-learn than None, with other draws.
    share = None if training.subsample == 1 else max(training.subsample, 1 / len(data))
    features: Any = training.max_features
    estimator = kind(
        n_estimators=training.trees,
        max_features=features,
        max_depth=training.max_depth,
        min_samples_leaf=training.min_samples_leaf,
        max_samples=share,
        random_state=seed % 2**32,
    ).fit(data.x, data.y)
    named = (
        ForestSchema.of(schema.features, range(schema.outputs)) if schema.classes else schema
    )
    forest = from_sklearn(estimator, named)
    grown = Forest(schema, forest.sizes, forest.nodes)
    return grown, _out_of_bag(grown, estimator.estimators_samples_, data)


def _out_of_bag(forest: Forest, bags: list[NDArray[np.int64]], data: Table) -> float:
    total = np.zeros((len(data), forest.schema.outputs))
    votes = np.zeros(len(data))
    for tree, bag in zip(forest, bags, strict=True):
        outside = np.setdiff1d(np.arange(len(data)), bag)
        total[outside] += tree_values(tree, data.x[outside])
        votes[outside] += 1
    seen = votes > 0
    return _score(total[seen] / votes[seen, None], data.y[seen], forest.schema)


def _score(values: NDArray[np.float64], y: Labels, schema: ForestSchema) -> float:
    """Return accuracy, or R^2; NaN where there is nothing to score."""
    if not len(y):
        return math.nan
    if not schema.regression:
        return float((values.argmax(axis=1) == y).mean())
    spread = float(np.var(y))
    return 1 - float(((values[:, 0] - y) ** 2).mean()) / spread if spread > 0 else math.nan


def forest_score(forest: Forest, data: Table) -> dict[str, Scalar]:
    """Return {"accuracy": ...} or {"r2": ...}; empty where there is nothing to score."""
    if not len(data):
        return {}
    score = _score(forest_values(forest, data.x), data.y, forest.schema)
    name = "r2" if forest.schema.regression else "accuracy"
    return {} if math.isnan(score) else {name: score}
