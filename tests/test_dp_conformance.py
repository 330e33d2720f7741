"""Every misbehaviour against DP-FedAvg: bit-equal to the run without that client."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from dp_federation import SEED
from parity_flwr.app.conformance import MISBEHAVIOURS, MODELS, Play, play, same_model
from parity_flwr.core.privacy.central import CentralPrivacy
from parity_flwr.strategies import DPFedAvg

PRIVACY = CentralPrivacy(
    epsilon=8.0, delta=1e-3, clip=1.0, clients=6, rounds=2, noise_multiplier=1.0
)


def make() -> DPFedAvg:
    return DPFedAvg(PRIVACY, journal=None, noise_seed=SEED)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


@pytest.fixture(scope="module")
def without(quiet: None) -> dict[str, Play]:
    return {kind: play(make, spoil=None, model=model) for kind, model in MODELS.items()}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_misbehaving_client_is_as_if_it_were_not_there(
    name: str, kind: str, without: dict[str, Any]
) -> None:
    spoilt = play(make, spoil=MISBEHAVIOURS[name], model=MODELS[kind])
    assert same_model(spoilt, without[kind])
