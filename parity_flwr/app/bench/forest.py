"""How much a forest loses by being federated, and under attack: the figures of docs/models.md.

Each case divides a table evenly among ten clients. ``pooled`` is scikit-learn's forest of
100 trees with its own defaults on all clients' rows, ``pooled_alike`` one with the options
that the clients use; ``federated`` is one round of ForestBagging with a budget of 100 trees;
with three clients that train on flipped labels it is ``attacked``, plain bagging
``undefended``; and ``honest`` is ForestBagging over the seven others alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context
from flwr.client import Client
from flwr.clientapp import ClientApp

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.tabular.data import TabularData, divide_rows, exactly_encoded
from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.app.tabular.reading import RawTable, read_csv
from parity_flwr.app.tabular.target import Target, split_target
from parity_flwr.clients import ForestClient, ForestTraining, Table, parity_mods
from parity_flwr.clients.attacks.forests import FlippedTraining, ForestAttackMod
from parity_flwr.clients.forest_model import require_sklearn
from parity_flwr.core.forest import (
    BaggingConfig,
    ForestSchema,
    decode_forest,
    forest_values,
)
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ForestBagging, Sampling, TreeUnion

CLIENTS, LIARS, TREES = 10, 3, 100

LATER = (
    "death", "sfdm2", "d.time", "slos", "charges", "totcst", "totmcst", "avtisst", "hday",
    "dnr", "dnrday", "sno",
)  # fmt: skip
"""Columns of support2 that nobody knows when a patient comes, or that are row numbers."""


@dataclass(frozen=True)
class Case:
    """One table: its file and target, the columns left out, how many seeds, the bound."""

    name: str
    file: str
    target: str
    seeds: int
    most_lost: float  # points under the pooled forest
    without: tuple[str, ...] = ()


CASES = (
    Case("breast_cancer", "", "", 20, 2.0),
    Case("support2", "support2.csv.gz", "hospdead", 5, 1.0),
    Case("support2_at_admission", "support2.csv.gz", "hospdead", 5, 1.0, LATER),
    Case("credit_default", "credit_default.csv.gz", "default-payment-next-month", 5, 1.0),
)
MOST_LOST_TO_LIARS = 2.0

Report = Callable[[str], None]


def bench_forest(
    data: Path | None, *, seeds: int | None = None, report: Report = lambda line: None
) -> dict[str, Any]:
    """Return accuracies in percent, mean over seeds, and whether the bounds hold.

    Parameters
    ----------
    data : Path, optional
        Folder with the files; without it breast cancer alone, which ships with scikit-learn.
    seeds : int, optional
        Fewer seeds than the case has.

    Raises
    ------
    ConfigError
        If a file is not there.
    MissingExtraError
        If scikit-learn is not installed.
    """
    require_sklearn("the forest benchmark")
    cases = [case for case in CASES if data is not None or not case.file]
    return {"cases": [_case(case, data, seeds, report) for case in cases]}


def _case(case: Case, data: Path | None, seeds: int | None, report: Report) -> dict[str, Any]:
    features, target = _load(case, data)
    rows = []
    for seed in range(min(case.seeds, seeds or case.seeds)):
        rows.append(_measure(features, target, seed))
        shown = ", ".join(f"{name} {100 * value:.2f}" for name, value in rows[-1].items())
        report(f"{case.name}, seed {seed}: {shown}")
    means = {name: 100 * float(np.mean([row[name] for row in rows])) for name in rows[0]}
    lost, to_liars = means["pooled"] - means["federated"], means["honest"] - means["attacked"]
    return {
        "name": case.name,
        "rows": len(target.y),
        "seeds": len(rows),
        **{name: round(value, 3) for name, value in means.items()},
        "lost_to_federation": round(lost, 3),
        "lost_to_liars": round(to_liars, 3),
        "holds": lost <= case.most_lost and to_liars <= MOST_LOST_TO_LIARS,
    }


def _load(case: Case, data: Path | None) -> tuple[RawTable, Target]:
    if not case.file or data is None:
        from sklearn.datasets import load_breast_cancer

        bunch: Any = load_breast_cancer()
        columns = {str(n): bunch.data[:, k] for k, n in enumerate(bunch.feature_names)}
        return RawTable(columns), Target(bunch.target.astype(np.int64), (0, 1))
    path = data / case.file
    if not path.is_file():
        raise ConfigError(
            f"the benchmark needs {path.name}", came="no such file", action="check --data"
        )
    features, target = split_target(path, read_csv(path), case.target)
    for name in case.without:
        features = features.without(name)
    return features, target


def _measure(features: RawTable, target: Target, seed: int) -> dict[str, float]:
    plan = TabularPlan(
        data=Path("table"), target="", model=Model.RANDOM_FOREST, clients=CLIENTS, seed=seed
    )
    data = exactly_encoded(divide_rows(plan, features, target))
    liars = np.random.default_rng([seed, 3]).permutation(CLIENTS)[:LIARS].tolist()
    honest = replace(
        data, clients=tuple(each for k, each in enumerate(data.clients) if k not in liars)
    )
    return {
        "pooled": _pooled(data, seed),
        "pooled_alike": _pooled(data, seed, max_features=ForestTraining().max_features),
        "federated": _bagged(data, seed),
        "honest": _bagged(honest, seed),
        "attacked": _bagged(data, seed, liars),
        "undefended": _united(data, seed, liars),
    }


def _pooled(data: TabularData, seed: int, *, max_features: Any = "sqrt") -> float:
    from sklearn.ensemble import RandomForestClassifier

    x = np.concatenate([each.x for each in data.clients])
    y = np.concatenate([each.y for each in data.clients])
    forest = RandomForestClassifier(TREES, random_state=seed, max_features=max_features)
    return float(forest.fit(x, y).score(data.test.x, data.test.y))


def _schema(data: TabularData) -> ForestSchema:
    return ForestSchema.of(data.features, data.classes)


def _app(data: TabularData, seed: int, liars: Sequence[int]) -> ClientApp:
    training = ForestTraining(trees=-(-TREES // len(data.clients)), seed=seed)

    def client_fn(context: Context) -> Client:
        table: Table = data.clients[int(context.node_config["partition-id"])]
        return ForestClient(
            _schema(data), train=table, test=table, context=context, training=training
        ).to_client()

    mod = ForestAttackMod(dict.fromkeys(liars, FlippedTraining()), seed=seed)
    return ClientApp(client_fn, mods=parity_mods(inner=[mod]))


def _bagged(data: TabularData, seed: int, liars: Sequence[int] = ()) -> float:
    strategy = ForestBagging(
        _schema(data),
        bagging=BaggingConfig(budget=TREES),
        seed=seed,
        sampling=Sampling(fraction_evaluate=0.0),
        journal=None,
    )
    return _score(data, strategy, seed, liars)


def _united(data: TabularData, seed: int, liars: Sequence[int]) -> float:
    return _score(data, TreeUnion(budget=TREES, fraction_evaluate=0.0), seed, liars)


def _score(
    data: TabularData, strategy: ForestBagging | TreeUnion, seed: int, liars: Sequence[int]
) -> float:
    empty = ForestBagging(_schema(data), journal=None).initial_arrays()
    with InProcessGrid(_app(data, seed, liars), len(data.clients)) as grid:
        result = strategy.start(grid, empty, num_rounds=1)
    forest = decode_forest({name: array.numpy() for name, array in result.arrays.items()})
    chosen = forest_values(forest, data.test.x).argmax(axis=1)
    return float((chosen == data.test.y).mean())
