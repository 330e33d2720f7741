"""Linear models in a federation: exact in one round, and behind a gate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from flwr.serverapp.strategy import FedAvg

from linear_federation import LinearFederation
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.clients import LinearTraining, linear_estimator
from parity_flwr.clients.attacks import LabelFlip
from parity_flwr.core.records import Verdict
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import (
    LeastSquares,
    PooledStatistics,
    Reputation,
    ReputationFedAvg,
    Sampling,
)

pytest.importorskip("sklearn")

TRAINING = Sampling(fraction_evaluate=0.0)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


def least_squares(**options: Any) -> LeastSquares:
    given: dict[str, Any] = {"journal": None, "seed": 1, "sampling": TRAINING, **options}
    return LeastSquares(10, **given)


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_one_round_is_the_pooled_fit(ridge: float) -> None:
    from sklearn.linear_model import LinearRegression, Ridge

    federation = LinearFederation(statistics=True)
    arrays = federation.run(least_squares(ridge=ridge))
    model = linear_estimator(arrays, ridge=ridge)
    data = federation.data
    pooled = (Ridge(alpha=ridge) if ridge else LinearRegression()).fit(data.x, data.y)
    assert type(model) is type(pooled)
    np.testing.assert_allclose(model.coef_, pooled.coef_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, pooled.intercept_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.predict(data.x), pooled.predict(data.x), atol=1e-8)


def test_liars_are_left_out() -> None:
    from sklearn.linear_model import LinearRegression

    attackers = {k: LabelFlip(classes=2) for k in (2, 5)}
    federation = LinearFederation(statistics=True, attackers=attackers)
    strategy = least_squares()
    arrays = federation.run(strategy)
    honest = [federation.part(k) for k in range(8) if k not in attackers]
    x, y = np.vstack([part.x for part in honest]), np.concatenate([part.y for part in honest])
    pooled = LinearRegression().fit(x, y)
    plain = LinearFederation(statistics=True, attackers=attackers).run(PooledStatistics(10))
    error = np.abs(arrays["coef"][0] - pooled.coef_).max()
    assert error < 0.02 * np.abs(plain["coef"][0] - pooled.coef_).max()
    for k in range(8):
        assert (strategy.state.standings[f"client-{k}"].composite < 450) == (k in attackers)


def spoiled(change: Callable[[dict[str, Any]], dict[str, Any]], **metrics: int) -> Any:
    """Return a mod that changes the statistics of client 3."""

    def mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        reply = call_next(message, context)
        if context.node_config["partition-id"] != 3 or not reply.content.array_records:
            return reply
        arrays = {name: a.numpy() for name, a in reply.content.array_records["arrays"].items()}
        record = ArrayRecord({name: Array(a) for name, a in change(arrays).items()})
        told = MetricRecord({**reply.content.metric_records["metrics"], **metrics})
        return Message(RecordDict({"arrays": record, "metrics": told}), reply_to=message)

    return mod


NONSENSE = {
    "not a number": spoiled(lambda a: {**a, "1": np.full(11, np.nan)}),
    "a negative diagonal": spoiled(lambda a: {**a, "2": -a["2"]}),
    "more examples than claimed": spoiled(lambda a: {**a, "0": a["0"] * 1000}),
    "n below 0": spoiled(lambda a: {**a, "0": -a["0"]}),
    "another size": spoiled(lambda a: {**a, "2": a["2"][:-1]}),
    "an array missing": spoiled(lambda a: {"0": a["0"], "1": a["1"]}),
    "float32": spoiled(lambda a: {**a, "1": a["1"].astype(np.float32)}),
    "a model": spoiled(lambda a: {"coef": np.zeros((1, 10)), "intercept": np.zeros(1)}),
    "fewer claimed": spoiled(lambda a: a, **{"num-examples": 1}),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_statistics_that_make_no_sense_are_quarantined(name: str, tmp_path: Path) -> None:
    federation = LinearFederation(statistics=True)
    folder = RunFolder.create(tmp_path)
    federation.run(least_squares(journal=start_journal(folder)), NONSENSE[name])
    (record,) = open_journal(folder).rounds()
    facts = {each.identity: each for each in record.facts.replies}
    assert facts["client-3"].verdict is Verdict.QUARANTINED
    assert facts["client-3"].reason
    assert sum(each.verdict is Verdict.ACCEPTED for each in facts.values()) == 7
    assert verify(folder).ok


def test_a_client_without_data_abstains() -> None:
    federation = LinearFederation(statistics=True, idle=True)
    strategy = least_squares()
    federation.run(strategy)
    standing = strategy.state.standings["client-7"]
    assert (standing.composite, standing.quarantines) == (500.0, 0)


@pytest.mark.parametrize("classes", [(), (0, 1)], ids=["linear", "logistic"])
def test_gradient_rounds_come_near_the_pooled_optimum(classes: tuple[int, ...]) -> None:
    from sklearn.linear_model import LogisticRegression, Ridge

    ridge = 0.1
    federation = LinearFederation(classes, training=LinearTraining(steps=5, ridge=ridge))
    arrays = federation.run(FedAvg(fraction_evaluate=0.0), rounds=60)
    model = linear_estimator(arrays, classes=classes)
    x, y = federation.data.x, federation.data.y
    alone: Any = (
        LogisticRegression(C=1 / (ridge * len(y))) if classes else Ridge(alpha=ridge * len(y))
    )
    assert model.score(x, y) > alone.fit(x, y).score(x, y) - 0.02


@pytest.mark.parametrize("classes", [(), (0, 1)], ids=["linear", "logistic"])
def test_reputation_defends_the_gradient_rounds(classes: tuple[int, ...]) -> None:
    from parity_flwr.clients.attacks import SignFlip

    attackers = {k: SignFlip(scale=3.0) for k in (1, 6)}
    federation = LinearFederation(classes, attackers=attackers)
    strategy = ReputationFedAvg(seed=1, journal=None, sampling=TRAINING)
    arrays = federation.run(strategy, rounds=12)
    clean = LinearFederation(classes).run(
        ReputationFedAvg(seed=1, journal=None, sampling=TRAINING), rounds=12
    )
    x, y = federation.data.x, federation.data.y
    score, best = (linear_estimator(a, classes=classes).score(x, y) for a in (arrays, clean))
    assert score > best - 0.05
    assert isinstance(strategy, Reputation)
    for k in attackers:
        assert strategy.state.standings[f"client-{k}"].composite < 300


def test_estimators_refuse_what_does_not_fit() -> None:
    arrays = {"coef": np.zeros((1, 3)), "intercept": np.zeros(1)}
    assert linear_estimator(arrays, classes=("a", "b")).predict(np.ones((1, 3))).tolist() == [
        "a"
    ]
    with pytest.raises(ConfigError, match="coefficients"):
        linear_estimator(arrays, classes=("a", "b", "c"))
    with pytest.raises(ConfigError, match="two classes"):
        linear_estimator(arrays, classes=("a",))
    with pytest.raises(ConfigError, match="rate"):
        LinearTraining(rate=2.0)
