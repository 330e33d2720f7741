"""The paper's un-normalised Eq. 2 over an inner strategy that normalises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg, FedAvgM

from parity_flwr.core.config import Formula, RobustnessConfig, TrustConfig, WeightConfig
from parity_flwr.strategies import Reputation
from trust_runs import MODEL, ListJournal, client_app, nudge, numbers, run, state_of

PAPER = TrustConfig(
    weights=WeightConfig(formula=Formula.PAPER),
    robustness=RobustnessConfig(min_replies=1000),  # no penalties: Eq. 2 to 4 alone
)
CARRIED = state_of(client_0=900.0, client_1=300.0, client_2=500.0, client_3=700.0, client_4=0.4)


def test_model_moves_by_the_weighted_sum_of_the_updates() -> None:
    """w' = w + sum_k c_k delta_k with sum c_k < 1: the rest of the weight is w's."""
    journal = ListJournal()
    carried = state_of(**{f"client_{k}": 500.0 for k in range(5)})
    standings = {
        name: replace(standing, history=0.2 * (k + 1))
        for k, (name, standing) in enumerate(carried.standings.items())
    }
    carried = replace(carried, standings=standings)
    strategy = Reputation(FedAvg(), seed=1, journal=journal, config=PAPER, carried=carried)
    app = client_app(examples=lambda partition: 10 + partition)
    result, _ = run(strategy, app=app, rounds=1)
    weights = [each.weight for each in journal.rounds[0].decision.replies]
    assert 0.3 < sum(weights) < 0.9
    for name, base in MODEL.items():
        moved = sum(
            c * (nudge(k, 1, base).astype(np.float64) - base) for k, c in enumerate(weights)
        )
        np.testing.assert_allclose(
            numbers(result.arrays)[name], base + moved, rtol=1e-5, atol=1e-6
        )


def test_weights_that_sum_to_one_need_no_anchor() -> None:
    journal = ListJournal()
    run(Reputation(FedAvg(), seed=1, journal=journal), rounds=1)
    assert sum(e.weight for e in journal.rounds[0].decision.replies) == pytest.approx(1)


def test_server_optimiser_stays_in_force() -> None:
    constant = client_app(lambda partition, round_, array: np.asarray(array + 1, array.dtype))
    journal = ListJournal()
    strategy = Reputation(FedAvgM(server_momentum=0.5), seed=1, journal=journal, config=PAPER)
    result, _ = run(strategy, app=constant, rounds=2)
    first, second = (sum(e.weight for e in r.decision.replies) for r in journal.rounds)
    moved = numbers(result.arrays)["a.bias"] - MODEL["a.bias"]
    np.testing.assert_allclose(moved, first + (0.5 * first + second), rtol=1e-6)


def test_saturated_sigmoid_believes_everybody_but_the_very_worst() -> None:
    journal = ListJournal()
    strategy = Reputation(FedAvg(), seed=1, journal=journal, config=PAPER, carried=CARRIED)
    run(strategy, rounds=1)
    alphas = [each.alpha for each in journal.rounds[0].decision.replies]
    assert alphas[:4] == [1.0] * 4
