"""What is timed: ours, Flower's, byzfl's, the floor, and what surrounds aggregation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from flwr.serverapp.strategy import (
    Bulyan,
    FedAvg,
    FedMedian,
    FedTrimmedAvg,
    Krum,
    MultiKrum,
    Strategy,
)

from parity_flwr.app.bench.rival_byzfl import byzfl_rules
from parity_flwr.app.bench.workload import Workload
from parity_flwr.core import rules
from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rules.combining import combine_rows
from parity_flwr.strategies.gate import Gate

Case = Callable[[], object]

_SECRET = bytes(range(32))
_MOST_COPIED = 200_000_000  # numbers
_ROUNDS = 3  # from then on the memory's figures are computed too


def our_cases(work: Workload) -> dict[str, Case]:
    """Return our rules by name; they read the replies' buffers."""
    f, n = work.byzantine, work.n
    most = max((n - 3) // 4, 0)
    on_models: dict[str, rules.AggregationRule] = {
        "mean": rules.Mean(),
        "median": rules.CoordinateMedian(),
        "trimmed_mean": rules.TrimmedMean(byzantine=f),
        "krum": rules.Krum(byzantine=f),
        "multi_krum": rules.MultiKrum(byzantine=f),
        "geometric_median": rules.GeometricMedian(),
        "centred_clipping": rules.CentredClipping(),
        "nnm_trimmed_mean": rules.NearestNeighbourMixing(
            inner=rules.TrimmedMean(byzantine=f), byzantine=f
        ),
        "bulyan": rules.Bulyan(byzantine=min(f, most)),
    }
    on_updates: dict[str, rules.AggregationRule] = {
        "norm_clipping": rules.NormClipping(),
        "fltrust": rules.FLTrust(),
    }
    cases: dict[str, Case] = {
        name: partial(rule.aggregate, work.rows) for name, rule in on_models.items()
    }
    cases |= {name: partial(rule.aggregate, work.updates) for name, rule in on_updates.items()}
    return {"reputation": reputation_case(work), **cases}


def reputation_case(work: Workload, config: RobustnessConfig | None = None) -> Case:
    """Return the whole reputation rule: figures with a memory, then the weighted mean."""
    rule, names = rule_for(config or RobustnessConfig()), [str(k) for k in range(work.n)]
    trust, weights = np.full(work.n, 0.5), np.full(work.n, 1.0 / work.n)
    measure = partial(
        rule.measure,
        work.updates,
        identities=names,
        trust=trust,
        secret=_SECRET,
        applied=weights,
    )
    memory: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for _ in range(_ROUNDS):
        memory = measure(memory=memory)[1]

    def whole() -> object:
        measure(memory=memory)
        return combine_rows(work.rows, weights)

    return whole


def flower_cases(work: Workload) -> dict[str, Case]:
    """Return Flower's own strategies by our names; they get the same messages."""
    f, n = work.byzantine, work.n
    strategies: dict[str, Strategy] = {
        "mean": FedAvg(),
        "median": FedMedian(),
        "trimmed_mean": FedTrimmedAvg(beta=0.2),
        "krum": Krum(num_malicious_nodes=f),
        "multi_krum": MultiKrum(num_malicious_nodes=f, num_nodes_to_select=n - f),
        "bulyan": Bulyan(num_malicious_nodes=max(min(f, (n - 3) // 4), 0)),
    }
    return {name: partial(_aggregate, each, work) for name, each in strategies.items()}


def _aggregate(strategy: Strategy, work: Workload) -> object:
    return strategy.aggregate_train(1, work.fresh())


def byzfl_cases(work: Workload) -> dict[str, Case] | str:
    """Return byzfl's rules on a matrix that it did not have to build, or why there are none."""
    if work.n * work.d > _MOST_COPIED:
        return "byzfl needs several copies of the matrix, too much memory at this size"
    found = byzfl_rules(work.n, work.byzantine)
    if isinstance(found, str):
        return found
    matrix = work.matrix().copy()
    return {name: partial(rule, matrix) for name, rule in found.items()}


def floor_cases(work: Workload) -> dict[str, Case]:
    """Return the least that any rule must do: read every number once."""
    return {"one_pass": lambda: [x.sum() for model in work.models for x in model.values()]}


def around_cases(work: Workload) -> dict[str, Case]:
    """Return what happens to the messages before any rule, reported beside the ratios."""
    gate = Gate(work.base)
    return {
        "parse_and_check": lambda: [gate.inspect(reply) for reply in work.replies],
        "hash": lambda: [model_hash(model) for model in work.models],
    }
