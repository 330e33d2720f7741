"""Every misbehaviour over every inner strategy and every kind of model."""

import logging
from collections.abc import Iterator

import pytest
from flwr.serverapp.strategy import (
    FedAdam,
    FedAvg,
    FedAvgM,
    FedMedian,
    FedProx,
    FedTrimmedAvg,
    Krum,
    MultiKrum,
    Strategy,
)

from parity_flwr.app.conformance import MISBEHAVIOURS, MODELS, OFFENDER, Play, play, same_model
from parity_flwr.strategies import Reputation, ReputationFedAvg, Sampling

TRAINING = Sampling(fraction_evaluate=0.0)  # nothing here is about evaluation
ROUNDS = {"neural network": 2, "linear regression": 1, "random forest": 1}

MAKERS = {
    "ReputationFedAvg": lambda: ReputationFedAvg(seed=1, journal=None, sampling=TRAINING),
    "FedAvg": lambda: _around(FedAvg()),
    "FedAvgM": lambda: _around(FedAvgM(server_momentum=0.9)),
    "FedAdam": lambda: _around(FedAdam()),
    "FedProx": lambda: _around(FedProx(proximal_mu=0.1)),
    "FedMedian": lambda: _around(FedMedian()),
    "FedTrimmedAvg": lambda: _around(FedTrimmedAvg()),
    "Krum": lambda: _around(Krum(num_malicious_nodes=1)),
    "MultiKrum": lambda: _around(MultiKrum(num_malicious_nodes=1, num_nodes_to_select=3)),
}


def _around(inner: Strategy) -> Reputation:
    return Reputation(inner, seed=1, journal=None, sampling=TRAINING)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Keep a thousand runs out of the log: writing them takes a third of the time."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


@pytest.fixture(scope="module")
def without(quiet: None) -> dict[tuple[str, str], Play]:
    return {
        (name, kind): play(make, spoil=None, model=model, rounds=ROUNDS[kind])
        for name, make in MAKERS.items()
        for kind, model in MODELS.items()
    }


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", MODELS)
def test_model_moves_in_every_number(
    kind: str, name: str, without: dict[tuple[str, str], Play]
) -> None:
    after = without[name, kind].result.arrays
    for key, before in MODELS[kind].items():
        if before.dtype.kind == "f":
            assert (after[key].numpy() > before).all()
        elif name not in ("FedAdam", "FedAvgM"):  # whose steps are not the clients'
            assert after[key].numpy() == before + ROUNDS[kind]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_round_goes_on_without_the_offender(
    misbehaviour: str, kind: str, name: str, without: dict[tuple[str, str], Play]
) -> None:
    spoil, model, rounds = MISBEHAVIOURS[misbehaviour], MODELS[kind], ROUNDS[kind]
    spoiled = play(MAKERS[name], spoil=spoil, model=model, rounds=rounds)
    assert same_model(spoiled, without[name, kind])
    strategy = spoiled.strategy
    assert isinstance(strategy, Reputation)
    standings = dict(strategy.state.standings)
    offender = standings.pop(f"client-{OFFENDER}")
    assert offender.composite < 500
    assert offender.quarantines + offender.faults == rounds
    assert offender.composite < min(each.composite for each in standings.values())
