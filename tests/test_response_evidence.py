"""What the response design's figures cost (stage B), and the pull to the centre."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.app.demo_task import CLIENTS, ROUNDS, DemoTask
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.centring import pull_to_centre
from parity_flwr.core.config import Design, RobustnessConfig, TrustConfig
from parity_flwr.core.evidence import Evidence, weigh_evidence
from parity_flwr.core.records import Action, ReplyFacts, ReputationState, RoundStatus
from parity_flwr.core.response_config import ResponseConfig
from parity_flwr.core.rounds import decide, excluded_identities
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import ReputationFedAvg, Sampling
from round_facts import accepted, round_of, weights_of

CONFIG = RobustnessConfig(design=Design.RESPONSE)
TRUST = TrustConfig(robustness=CONFIG)
FAR = 1 + 0.15 * 4.5  # z = 4.5, two spreads over tau: exp(-3) if nothing excuses it
EXP3 = math.exp(-3)


def weighed(first: dict[str, Any], n: int = 10, rho: float = 1.0) -> Evidence:
    """Return the evidence on the first of n replies; nothing tells the others apart."""
    replies = [
        accepted("c0", figures=first, rho=rho),
        *(accepted(f"c{k}") for k in range(1, n)),
    ]
    evidence = weigh_evidence(replies, CONFIG)
    assert set(evidence[1:]) == {Evidence()}
    return evidence[0]


@pytest.mark.parametrize(
    ("figures", "soundness"),
    [
        ({}, 1.0),
        ({"balance": 0.3}, 1.0),  # without a common direction that is honest
        ({"balance": 0.5}, 0.5),
        ({"balance": 0.3, "authority": 1.0}, 0.5),
        ({"common": -0.09}, 0.5),
        ({"common": -0.2}, 0.0),
        ({"response": 0.04}, 0.5),
        ({"response": 0.06}, 0.0),
        ({"response": 0.06, "answered": 0.75}, 0.0),
        ({"response": 0.06, "answered": 0.5}, 0.5),  # honest answers scatter around 0
        ({"response": 0.5, "answered": -3.0}, 1.0),  # everybody wants more of it
        ({"common": -0.2, "apart": 5.0}, 0.0),
        ({"common": -0.2, "apart": 4.0}, 0.5),
        ({"common": -0.2, "apart": 3.0}, 1.0),  # so it is among all
        ({"direction": -0.25, "authority": 1.0}, 0.5),
        ({"direction": -0.25, "authority": 0.5}, 0.75),
        ({"direction": -1.0, "authority": 0.0}, 1.0),
        ({"own": -1.0, "own_direction": -1.0, "authority": 1.0}, 1.0),  # but it is not far
        ({"balance": 0.5, "response": 0.05}, 0.125),
    ],
)
def test_each_figure_by_hand(figures: dict[str, float], soundness: float) -> None:
    evidence = weighed(figures)
    assert evidence.soundness == pytest.approx(soundness)
    assert evidence.penalty == pytest.approx(soundness)
    assert evidence.share == 1.0


@pytest.mark.parametrize(
    ("figures", "soundness"),
    [
        ({}, 1.0),  # far away is no crime
        ({"own": 0.1}, EXP3),
        ({"own": 0.2}, math.exp(-1.5)),
        ({"own": 0.3}, 1.0),
        ({"own_direction": -0.2, "authority": 1.0}, EXP3),
        ({"own_direction": -0.2, "authority": 0.5}, math.exp(-1.5)),
        ({"direction": 0.03, "authority": 1.0}, EXP3),
        ({"direction": 0.1, "authority": 1.0}, 1.0),
    ],
)
def test_distance_accuses_only_with_company(
    figures: dict[str, float], soundness: float
) -> None:
    assert weighed(figures, rho=FAR).soundness == pytest.approx(soundness)


@pytest.mark.parametrize(
    ("norm", "soundness"), [(0.19, 0), (0.2, 1), (5, 1), (6.5, 0.5), (8, 0)]
)
def test_lengths_by_hand(norm: float, soundness: float) -> None:
    replies = [accepted("a", norm=norm), *(accepted(f"b{k}") for k in range(6))]
    assert weigh_evidence(replies, CONFIG)[0].soundness == pytest.approx(soundness)


UNSERVED = {"served": 1.0, "service": -1.0, "loudness": 2.0, "growth": 2.0}


@pytest.mark.parametrize(
    ("excuse", "soundness"),
    [
        ({}, 0.0),
        ({"served": 0.125}, 0.5),  # the model does not do much for anybody
        ({"service": -0.025}, 0.5),
        ({"loudness": 1.2}, 0.5),
        ({"growth": 1.2}, 0.5),
        ({"service": -0.025, "growth": 1.2}, 0.75),
        ({"growth": 1.1}, 1.0),  # an honest minority gets quieter once it is heard
        ({"service": 0.05}, 1.0),
        ({"loudness": 1.1}, 1.0),
        ({"served": 0.1}, 1.0),
    ],
)
def test_who_is_not_served_and_grows_louder_accuses_itself(
    excuse: dict[str, float], soundness: float
) -> None:
    assert weighed({**UNSERVED, **excuse}).soundness == pytest.approx(soundness)


def test_newcomers_claims_count_up_to_the_median() -> None:
    claims = [accepted("a", num_examples=1000), *(accepted(f"b{k}") for k in range(9))]
    state, decision = decide(ReputationState(), round_of(*claims), TRUST)
    assert set(weights_of(decision.replies).values()) == {0.1}
    for number in range(2, 6):
        state, _ = decide(state, round_of(*claims, number=number), TRUST)
    _, later = decide(state, round_of(*claims, number=6), TRUST)
    weights = weights_of(later.replies)
    assert weights["a"] / weights["b0"] == pytest.approx(4.0)


def opposed(count: int, n: int = 20) -> list[Evidence]:
    against = {"direction": -0.5, "authority": 1.0}
    return list(
        weigh_evidence(
            [accepted(f"c{k:02}", figures=against if k < count else {}) for k in range(n)],
            CONFIG,
        )
    )


def test_too_many_opponents_are_spared() -> None:
    assert {e.soundness for e in opposed(6)[:6]} == {0.0}  # 30 %
    spared = opposed(7)[0]  # 35 %
    assert (spared.penalty, spared.soundness) == pytest.approx((0.6, 0.85))
    assert set(opposed(7)[7:]) == {Evidence()}


def test_only_a_single_outlier_lacks_support() -> None:
    alone = accepted("a", rho=FAR, figures={"direction": 0.0, "authority": 1.0})
    honest = [accepted(f"c{k}") for k in range(8)]
    assert weigh_evidence([alone, *honest], CONFIG)[0].soundness == pytest.approx(EXP3)
    two = weigh_evidence([alone, alone, *honest], CONFIG)
    assert [e.soundness for e in two[:2]] == [1.0, 1.0]


def test_an_echo_costs_weight_and_no_reputation() -> None:
    assert weighed({"share": 0.25}) == Evidence(1.0, 1.0, 0.25)
    replies = [accepted("a", figures={"share": 0.5}), *(accepted(f"b{k}") for k in range(4))]
    state, decision = decide(ReputationState(), round_of(*replies), TRUST)
    weights = weights_of(decision.replies)
    assert weights["a"] / weights["b0"] == pytest.approx(0.5)
    assert state.standings["a"].scores == state.standings["b0"].scores


def test_deviation_is_recorded_and_costs_nothing() -> None:
    replies = [accepted("a", deviation=1.0), *(accepted(f"b{k}") for k in range(4))]
    _, decision = decide(ReputationState(), round_of(*replies), TRUST)
    assert set(weights_of(decision.replies).values()) == {0.2}
    near = TrustConfig(robustness=RobustnessConfig(design=Design.NEIGHBOUR))
    _, other = decide(ReputationState(), round_of(*replies), near)
    assert weights_of(other.replies)["a"] == 0.0


def centred(distances: list[float], coefficients: list[float]) -> list[ReplyFacts]:
    return [
        accepted(f"c{k}", figures={"distance": r, "coefficient": c})
        for k, (r, c) in enumerate(zip(distances, coefficients, strict=True))
    ]


def test_the_pull_to_the_centre_by_hand() -> None:
    # m = 1, so the last may be 2 away: half of its quarter goes to the centre.
    replies = centred([1, 1, 1, 4], [0.5, 0.3, 0.2, 0.0])
    pulled = pull_to_centre(np.full(4, 0.25), replies, CONFIG)
    assert pulled == pytest.approx([0.3125, 0.2875, 0.275, 0.125])


def test_who_has_no_weight_has_none_in_the_centre() -> None:
    replies = centred([1, 1, 1, 4], [0.5, 0.3, 0.2, 0.0])
    pulled = pull_to_centre(np.array([0.0, 0.4, 0.3, 0.3]), replies, CONFIG)
    assert pulled == pytest.approx([0.0, 0.4 + 0.15 * 0.6, 0.3 + 0.15 * 0.4, 0.15])
    banned = (Action(kind="ban", identity="c0", reason="test"),)
    _, decision = decide(ReputationState(), round_of(*replies, actions=banned), TRUST)
    assert weights_of(decision.replies)["c0"] == 0.0


@given(
    st.lists(st.tuples(*[st.floats(0, 1e6)] * 3), min_size=1, max_size=8),
)
def test_the_pull_keeps_the_total(rows: list[tuple[float, float, float]]) -> None:
    weights, far, centre = (np.array(column) for column in zip(*rows, strict=True))
    weights = weights / max(weights.sum(), 1e-9)
    pulled = pull_to_centre(weights, centred(far.tolist(), centre.tolist()), CONFIG)
    assert (pulled >= -1e-12).all()
    assert pulled.sum() == pytest.approx(weights.sum(), abs=1e-9)
    assert (pulled[weights == 0] == 0).all()


def test_without_figures_of_the_centre_the_weights_stay() -> None:
    weights = np.array([0.5, 0.5])
    replies = [*centred([1.0], [1.0]), accepted("b")]
    assert pull_to_centre(weights, replies, CONFIG) is weights


def test_what_was_applied_is_kept_of_accepted_rounds_only() -> None:
    replies = [accepted(f"c{k}") for k in range(5)]
    state, decision = decide(ReputationState(), round_of(*replies[:4]), TRUST)
    assert {n: s.applied for n, s in state.standings.items()} == weights_of(decision.replies)
    after, _ = decide(state, round_of(*replies[1:], number=2), TRUST)
    assert after.standings["c0"].applied == 0.0
    assert after.standings["c4"].applied > 0
    nothing = [accepted(f"c{k}", num_examples=0) for k in range(5)]
    last, refused = decide(after, round_of(*nothing, number=3), TRUST)
    assert refused.status is RoundStatus.REJECTED
    assert {each.applied for each in last.standings.values()} == {0.0}


def test_the_configuration_survives_the_journal() -> None:
    assert loads(dumps(TRUST), TrustConfig) == TRUST


@pytest.mark.parametrize(
    "wrong",
    [{"echo": (0.2, 0.1)}, {"reach": 0.0}, {"idle_share": math.nan}, {"spared_penalty": 1.1}],
)
def test_constants_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ResponseConfig(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_demos_liars_are_excluded_and_nobody_else(seed: int) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    task = DemoTask(seed)
    strategy = ReputationFedAvg(
        sampling=Sampling(fraction_evaluate=0.0, min_available_nodes=CLIENTS),
        seed=seed,
        config=TRUST,
        journal=None,
    )
    with InProcessGrid(task.client_app(range(CLIENTS)), CLIENTS) as grid:
        strategy.start(grid, task.initial_arrays(), num_rounds=ROUNDS)
    liars = tuple(sorted(f"client-{k}" for k in task.attackers))
    assert excluded_identities(strategy.state, TRUST) == liars
