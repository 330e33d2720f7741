"""Every misbehaviour over every inner strategy and every kind of model."""

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
from parity_flwr.strategies import Reputation, ReputationFedAvg

MAKERS = {
    "ReputationFedAvg": lambda: ReputationFedAvg(seed=1, journal=None),
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
    return Reputation(inner, seed=1, journal=None)


@pytest.fixture(scope="module")
def without() -> dict[tuple[str, str], Play]:
    return {
        (name, kind): play(make, spoil=None, model=model)
        for name, make in MAKERS.items()
        for kind, model in MODELS.items()
    }


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_round_goes_on_without_the_offender(
    misbehaviour: str, kind: str, name: str, without: dict[tuple[str, str], Play]
) -> None:
    spoiled = play(MAKERS[name], spoil=MISBEHAVIOURS[misbehaviour], model=MODELS[kind])
    assert same_model(spoiled, without[name, kind])
    strategy = spoiled.strategy
    assert isinstance(strategy, Reputation)
    standings = strategy.state.standings
    offender = standings.pop(f"client-{OFFENDER}")
    assert offender.composite < 500
    assert offender.quarantines + offender.faults == 2
    assert offender.composite < min(each.composite for each in standings.values())
