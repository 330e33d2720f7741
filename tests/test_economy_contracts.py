"""P-32 in Python and in Solidity: the same amounts, bit for bit."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

import journal_records
from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.market import Market
from parity_flwr.app.economy.onchain import ChainSettler
from parity_flwr.core.economy.amounts import MILLION, reputation_units
from parity_flwr.core.economy.settlement import settle
from parity_flwr.core.economy.slashing import slash_amount
from parity_flwr.core.records import ReputationState, Standing

PENALTY = 123_456_789_012_345_678_901


@pytest.mark.slow
def test_the_registry_slashes_what_the_core_says(rng: np.random.Generator) -> None:
    composites = {f"client-{k}": float(rng.uniform(0, 1000)) for k in range(4)}
    composites |= {"client-4": 0.0, "client-5": 1000.0}
    market = Market(clients=6, base_penalty=PENALTY, stake=PENALTY)
    with closing(ChainSettler(list(composites), market)) as settler:
        anchored(settler, market, composites)
        for name, composite in composites.items():
            settler.anchor(name)
            for severity in (1, MILLION, *rng.integers(1, MILLION, 5).tolist()):
                assert settler.penalty(name, severity) == slash_amount(
                    PENALTY,
                    base_penalty=PENALTY,
                    severity=severity,
                    reputation=reputation_units(composite),
                )


def anchored(settler: ChainSettler, market: Market, composites: dict[str, float]) -> None:
    """Record a round after which everybody has this reputation."""
    record = journal_records.record(1, ReputationState())
    standings = {
        name: Standing(scores=(value, value, value, value), composite=value)
        for name, value in composites.items()
    }
    facts = replace(record.facts, replies=())
    record = replace(record, facts=facts, state=ReputationState(standings=standings))
    books = Books(config=market.economy, stakes={}, costs={})
    books.state, done = settle(books.state, record, stakes={}, config=market.economy)
    settler.settle(record, done, books)
