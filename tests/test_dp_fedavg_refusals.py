"""What would break DP-FedAvg's promise is refused when it is built."""

from __future__ import annotations

import math
from typing import Any

import pytest
from flwr.serverapp.strategy import FedAvg

from dp_federation import ListJournalWithCharges, honest_like, promise, run
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import DPFedAvg, Reputation, Sampling
from trust_runs import ListJournal


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilon": 0.0},
        {"epsilon": math.nan},
        {"epsilon": -1.0},
        {"delta": 0.0},
        {"delta": 1 / 6},
        {"delta": 1.0},
        {"clip": math.inf},
        {"clip": 0.0},
        {"clients": 0},
        {"rounds": 0},
        {"sampling": 0.0},
        {"sampling": 1.1},
        {"noise_multiplier": 0.0},
    ],
)
def test_what_promises_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        promise(**changes)


def test_what_would_leak_is_refused_when_it_is_built() -> None:
    with pytest.raises(ConfigError, match="client metrics cannot hold"):
        DPFedAvg(promise(), journal=None, sampling=Sampling(min_train_nodes=0))
    with pytest.raises(ConfigError, match="Poisson"):
        DPFedAvg(
            promise(),
            journal=None,
            sampling=Sampling(fraction_train=0.5, fraction_evaluate=0.0),
        )
    with pytest.raises(ConfigError, match="reputation cannot hold"):
        DPFedAvg(promise(), journal=None, inner=Reputation(FedAvg(), journal=None))
    with pytest.raises(ConfigError, match="reputation cannot hold"):
        Reputation(DPFedAvg(promise(), journal=None), journal=None)


@pytest.mark.parametrize("fault", ["no charges", "updates", "baseline"])
def test_a_journal_that_would_break_the_promise_is_refused(fault: str) -> None:
    journal = ListJournal() if fault == "no charges" else ListJournalWithCharges()
    journal.keep_updates = fault == "updates"
    journal.baseline = fault == "baseline"
    with pytest.raises(ConfigError, match="central DP needs"):
        run(promise(), honest_like(), journal=journal)
