"""What a bank can do by itself: the same model, the same settings, its own customers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Context, RecordDict
from numpy.typing import NDArray

from parity_finance.banks import Market
from parity_finance.models import Model, model_of
from parity_flwr.app.benefit import Participant, Predict
from parity_flwr.clients import Table

Config = Mapping[str, Any]
FOREST_BUDGET = 100
"""Trees of the federation's forest, and of a bank's own."""


def trained_alone(config: Config, market: Market, participant: Participant) -> Predict:
    """Return a bank's own model: as many steps as in all rounds together, or as many trees.

    Parameters
    ----------
    config : mapping
        The run's configuration.
    market : Market
        For the names of the inputs.
    participant : Participant
        The bank; its number is read from its name.
    """
    return _trained(config, market, participant.train, int(participant.name.split("-")[1]))


def trained_together(config: Config, market: Market, dishonest: set[int]) -> Predict:
    """Return the model of all honest banks' customers in one place, which nobody has."""
    return _trained(config, market, market.train(dishonest), len(market.banks))


def _trained(config: Config, market: Market, train: Table, number: int) -> Predict:
    forest = config["model"] == "forest"
    model = model_of({**config, "trees": FOREST_BUDGET}, market)
    context = Context(1, 1, {"partition-id": number}, RecordDict(), dict(config))
    client = model.client(train, train, context)
    arrays = model.initial()
    for round_ in range(1, 1 + (1 if forest else market.recipe.rounds)):
        trained, _, _ = client.fit(list(arrays.values()), {"server-round": round_})
        arrays = dict(zip(arrays, trained, strict=True))
    return predicting(model, arrays)


def predicting(model: Model, arrays: Mapping[str, NDArray[Any]]) -> Predict:
    """Return the model with these arrays as a function of rows."""

    def predict(x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        return model.scores(arrays, x)

    return predict
