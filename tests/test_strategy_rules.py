"""Every ready-made strategy under every misbehaviour, alone and inside reputation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, Strategy
from numpy.typing import NDArray

from parity_flwr.app.conformance import (
    MISBEHAVIOURS,
    MODELS,
    Play,
    honest_app,
    play,
    same_model,
)
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.core import rules
from parity_flwr.core.config import GateConfig, RobustnessConfig, TrustConfig
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import (
    Bulyan,
    CentredClipping,
    CoordinateMedian,
    FLTrust,
    GeometricMedian,
    Guarded,
    Krum,
    MultiKrum,
    NearestNeighbourMixing,
    NormClipping,
    Reputation,
    ReputationFedAvg,
    RobustDownweighting,
    RuleStrategy,
    SafeFedAvg,
    Sampling,
    Setup,
    TrimmedMean,
)

SETUP = Setup(seed=1, sampling=Sampling(fraction_evaluate=0.0))


def root_update(round_: int, model: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    return {
        name: np.asarray(value + 0.1, value.dtype) if value.dtype.kind == "f" else value
        for name, value in model.items()
    }


MAKERS: dict[str, Callable[[], Strategy]] = {
    "SafeFedAvg": lambda: SafeFedAvg(setup=SETUP),
    "CoordinateMedian": lambda: CoordinateMedian(setup=SETUP),
    "TrimmedMean": lambda: TrimmedMean(byzantine=1, setup=SETUP),
    "Krum": lambda: Krum(byzantine=1, setup=SETUP),
    "MultiKrum": lambda: MultiKrum(byzantine=1, setup=SETUP),
    "Bulyan": lambda: Bulyan(byzantine=0, setup=SETUP),
    "GeometricMedian": lambda: GeometricMedian(setup=SETUP),
    "CentredClipping": lambda: CentredClipping(setup=SETUP),
    "NearestNeighbourMixing": lambda: NearestNeighbourMixing(byzantine=1, setup=SETUP),
    "NormClipping": lambda: NormClipping(setup=SETUP),
    "FLTrust": lambda: FLTrust(root=root_update, setup=SETUP),
    "RobustDownweighting(FedAdam)": lambda: RobustDownweighting(FedAdam(), setup=SETUP),
    "RobustDownweighting(FedMedian)": lambda: RobustDownweighting(FedMedian(), setup=SETUP),
}
ALL_MODELS = ("SafeFedAvg", "TrimmedMean", "FLTrust", "RobustDownweighting(FedAdam)")
CASES = [
    (name, kind)
    for name in MAKERS
    for kind in (MODELS if name in ALL_MODELS else ["neural network"])
]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


@pytest.fixture(scope="module")
def without(quiet: None) -> dict[tuple[str, str], Play]:
    return {
        (name, kind): play(MAKERS[name], spoil=None, model=MODELS[kind], rounds=1)
        for name, kind in CASES
    }


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_round_goes_on_without_the_offender(
    misbehaviour: str, name: str, kind: str, without: dict[tuple[str, str], Play]
) -> None:
    spoil = MISBEHAVIOURS[misbehaviour]
    spoiled = play(MAKERS[name], spoil=spoil, model=MODELS[kind], rounds=1)
    assert same_model(spoiled, without[name, kind])


def model_of(played: Play) -> dict[str, NDArray[Any]]:
    return {name: array.numpy() for name, array in played.result.arrays.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_honest_clients_move_the_model(name: str) -> None:
    moved = model_of(play(MAKERS[name], spoil=None))
    before = MODELS["neural network"]
    assert np.all(moved["layer.weight"] > before["layer.weight"] + 0.05)
    if "Adam" not in name:  # which takes a step of its own on counters too
        assert moved["norm.num_batches_tracked"] == 5
    assert {k: v.dtype for k, v in moved.items()} == {k: v.dtype for k, v in before.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_composes_with_reputation(name: str) -> None:
    def make() -> Strategy:
        return Reputation(MAKERS[name](), seed=1, journal=None)

    moved = model_of(play(make, spoil=MISBEHAVIOURS["1e30"]))
    assert np.all(moved["layer.weight"] > MODELS["neural network"]["layer.weight"] + 0.05)


def test_a_guard_inside_reputation_changes_nothing() -> None:
    plain = play(lambda: Reputation(FedAvg(), seed=1, journal=None), spoil=None)
    inside = play(lambda: Reputation(Guarded(FedAvg()), seed=1, journal=None), spoil=None)
    for name, value in model_of(plain).items():
        np.testing.assert_allclose(model_of(inside)[name], value, rtol=1e-6)


def test_safe_fedavg_is_fedavg_when_sizes_are_alike() -> None:
    plain, safe = play(FedAvg, spoil=None), play(SafeFedAvg, spoil=None)
    expected, moved = model_of(plain), model_of(safe)
    for name in ("layer.weight", "layer.bias"):
        np.testing.assert_allclose(moved[name], expected[name], rtol=1e-6, atol=1e-7)


def test_the_rule_gets_the_updates_not_the_models() -> None:
    short = play(lambda: NormClipping(length=1e-3, setup=SETUP), spoil=None, rounds=1)
    moved = model_of(short)["layer.weight"] - MODELS["neural network"]["layer.weight"]
    assert 0 < np.linalg.norm(moved) < 1.1e-3


def test_a_rule_without_enough_replies_leaves_the_model() -> None:
    stays = play(lambda: Krum(byzantine=2, setup=SETUP), spoil=None)
    for name, value in model_of(stays).items():
        np.testing.assert_array_equal(value, MODELS["neural network"][name])


def test_without_a_quorum_the_model_stays() -> None:
    class Silent(InProcessGrid):
        def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> Any:
            return list(super().send_and_receive(messages, timeout=timeout))[:2]

    arrays = ArrayRecord({"w": Array(np.zeros(3, np.float32))})
    with Silent(honest_app(), 6) as grid:
        result = SafeFedAvg(setup=SETUP).start(grid, arrays, num_rounds=1, timeout=30)
    assert result.arrays["w"].numpy().tolist() == [0, 0, 0]


def far_away(reply: Any) -> Any:
    moved = MISBEHAVIOURS["infinity"](reply)
    record = reply.content.array_records["arrays"]
    arrays = {name: Array(np.asarray(each.numpy() * 0 + 90, each.numpy().dtype))
              for name, each in record.items()}  # fmt: skip
    moved[0].content["arrays"] = ArrayRecord(arrays)
    return moved


def test_downweighting_takes_the_weight_of_a_far_update() -> None:
    def make() -> Strategy:
        return RobustDownweighting(FedAvg(), setup=SETUP)

    attacked, clean = model_of(play(make, spoil=far_away)), model_of(play(make, spoil=None))
    average = model_of(play(lambda: SafeFedAvg(setup=SETUP), spoil=far_away))
    assert np.abs(average["layer.bias"]).max() > 5
    np.testing.assert_allclose(attacked["layer.bias"], clean["layer.bias"], atol=0.02)


def test_downweighting_by_the_papers_formula() -> None:
    paper = RobustnessConfig(neighbour=1, tau=0.0, lambda_=1.0, min_replies=2)
    setup = Setup(config=TrustConfig(robustness=paper), sampling=SETUP.sampling)
    played = play(lambda: RobustDownweighting(FedAvg(), setup=setup), spoil=None, rounds=1)
    assert np.isfinite(model_of(played)["layer.weight"]).all()


def test_every_strategy_is_adopted_in_one_line() -> None:
    assert SafeFedAvg().sampling == Sampling()
    assert Guarded(FedAvg(fraction_train=0.25, min_train_nodes=3)).sampling.min_train_nodes == 3
    assert isinstance(RuleStrategy(rules.GeometricMedian()), Guarded)


def test_what_cannot_be_guarded_is_refused() -> None:
    with pytest.raises(ConfigError, match="the other way round"):
        Guarded(ReputationFedAvg(journal=None))
    signed = TrustConfig(gate=GateConfig(require_signature=True))
    with pytest.raises(ConfigError, match="use Reputation"):
        SafeFedAvg(setup=Setup(config=signed))
