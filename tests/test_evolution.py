"""How scores and dimension weights move (P-7, P-12)."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parity_flwr.core.config import Formula, Four, ReputationConfig
from parity_flwr.core.evolution import adapt, composite, evolve

DECIDED = ReputationConfig()
PAPER = ReputationConfig(evolution=Formula.PAPER)
EVEN: Four = (0.25, 0.25, 0.25, 0.25)

scores = st.floats(0, 1000)
events = st.floats(0, 1)
raw = st.tuples(*[st.floats(0.01, 1)] * 4)
judgements = st.lists(st.tuples(st.tuples(*[scores] * 4), events), min_size=1, max_size=5)


def normalised(values: tuple[float, ...]) -> Four:
    a, b, c, d = (value / math.fsum(values) for value in values)
    return a, b, c, d


@pytest.mark.parametrize(
    ("score", "event", "after"),
    [
        (500, 1.0, 525),  # 0.95 * 500 + 0.05 * 1000
        (500, 0.0, 350),  # 0.7 * 500
        (500, 0.25, 425),  # 0.7 * 500 + 0.3 * 250
        (200, 0.6, 220),  # 0.95 * 200 + 0.05 * 600
        (0, 1.0, 50),
        (1000, 0.0, 700),
    ],
)
def test_one_event_by_hand(score: float, event: float, after: float) -> None:
    assert evolve(score, event, config=DECIDED) == pytest.approx(after, abs=1e-9)


@given(events)
def test_a_score_at_the_event_rests_exactly(event: float) -> None:
    assert evolve(1000 * event, event, config=DECIDED) == 1000 * event


@pytest.mark.parametrize("start", [0.0, 500.0, 1000.0])
@pytest.mark.parametrize("event", [0.0, 0.3, 0.8, 1.0])
def test_the_fixed_point_is_1000_d_from_either_side(start: float, event: float) -> None:
    score = start
    for _ in range(1000):
        score = evolve(score, event, config=DECIDED)
    assert score == pytest.approx(1000 * event, abs=1e-9)


@given(scores, events, st.floats(0, 1), st.floats(0, 1))
def test_scores_stay_between_old_and_target(
    score: float, event: float, up: float, down: float
) -> None:
    config = ReputationConfig(decay_up=up, decay_down=down)
    after = evolve(score, event, config=config)
    assert min(score, 1000 * event) - 1e-9 <= after <= max(score, 1000 * event) + 1e-9
    assert 0.0 <= after <= 1000.0  # exactly, without a clip


@given(st.floats(1, 499))
def test_trust_comes_slower_than_it_goes(step: float) -> None:
    up = evolve(500, (500 + step) / 1000, config=DECIDED) - 500
    down = 500 - evolve(500, (500 - step) / 1000, config=DECIDED)
    assert 0 < up < down


@given(scores)
def test_without_an_event_nothing_changes(score: float) -> None:
    assert evolve(score, None, config=DECIDED) == score


@pytest.mark.parametrize(
    ("score", "event", "after"),
    [
        # A = R - 500, A <- 0.95 A + dR, dR = 1000 * 0.05 * (D - 1/2)
        (500, 1.0, 525),  # 0 + 25
        (500, 0.0, 475),  # 0 - 25: as slowly down as up
        (600, 0.5, 595),  # 95 + 0: an average event forgets
        (1000, 1.0, 1000),  # 475 + 25
        (0, 0.0, 0),  # -475 - 25
        (0, 1.0, 50),  # -475 + 25
        (600, None, 595),
        (0, None, 25),  # -475
    ],
)
def test_equation_7_as_printed_by_hand(score: float, event: float | None, after: float) -> None:
    assert evolve(score, event, config=PAPER) == pytest.approx(after, abs=1e-9)


def test_equation_7_as_printed_forgives_who_stays_away() -> None:
    score = 0.0
    for _ in range(45):
        score = evolve(score, None, config=PAPER)
    assert score == pytest.approx(500 - 500 * 0.95**45)  # about 450: A went from -500 to -50
    assert evolve(0.0, None, config=DECIDED) == 0.0


def test_equation_7_as_printed_clips() -> None:
    low, high = (
        ReputationConfig(evolution=Formula.PAPER, initial=r0, gamma=0.5) for r0 in (0.0, 1000.0)
    )
    assert evolve(0.0, 0.0, config=low) == 0.0  # A = -250
    assert evolve(1000.0, 1.0, config=high) == 1000.0  # A = 250


@given(scores, st.none() | events)
def test_equation_7_as_printed_stays_in_range(score: float, event: float | None) -> None:
    assert 0.0 <= evolve(score, event, config=PAPER) <= 1000.0


def test_the_composite_by_hand() -> None:
    assert composite((800, 400, 200, 500), (0.4, 0.3, 0.2, 0.1)) == pytest.approx(530)


@given(st.tuples(*[scores] * 4), raw)
def test_the_composite_is_a_mean(each: tuple[float, ...], weights: tuple[float, ...]) -> None:
    total = composite(each, normalised(weights))
    assert min(each) - 1e-9 <= total <= max(each) + 1e-9
    assert 0 <= total <= 1000


def test_no_evidence_and_no_rate_change_nothing() -> None:
    weights: Four = (0.4, 0.3, 0.2, 0.1)
    seen = [((1000.0, 0.0, 0.0, 0.0), 1.0)]
    assert adapt(weights, [], config=DECIDED) == weights
    assert adapt(weights, seen, config=ReputationConfig(adaptation_rate=0)) == weights


def test_one_step_of_the_exponentiated_gradient_by_hand() -> None:
    # Losses 0, 1/4, 1, 1 at rate 1: v is in proportion to 1, e^-1/4, e^-1, e^-1.
    config = ReputationConfig(adaptation_rate=1, weight_floor=0, initial=499.0)
    adapted = adapt(EVEN, [((1000.0, 500.0, 0.0, 0.0), 1.0)], config=config)
    products = [1.0, math.exp(-0.25), math.exp(-1), math.exp(-1)]
    assert adapted == pytest.approx([each / sum(products) for each in products])


def test_the_loss_is_the_mean_over_the_evidence() -> None:
    config = ReputationConfig(adaptation_rate=1, weight_floor=0, initial=499.0)
    seen = [((1000.0, 500.0, 500.0, 500.0), 1.0), ((0.0, 500.0, 500.0, 500.0), 1.0)]
    first, *others = adapt(EVEN, seen, config=config)  # losses (0 + 1)/2 and 1/4
    assert first / others[0] == pytest.approx(math.exp(-0.25))


def test_equal_losses_change_nothing() -> None:
    weights: Four = (0.55, 0.3, 0.1, 0.05)
    seen = [((700.0, 700.0, 700.0, 700.0), 0.2)]
    assert adapt(weights, seen, config=DECIDED) == pytest.approx(weights, rel=1e-12)


def test_a_dimension_that_nobody_moved_keeps_its_weight() -> None:
    # Social stays at R_0 in a network without peers: 1/2 would "predict" an average quality.
    seen = [((900.0, 700.0, 100.0, 500.0), 0.5)]
    adapted = adapt((0.3, 0.3, 0.2, 0.2), seen, config=DECIDED)
    assert adapted[3] == pytest.approx(0.2)
    assert math.fsum(adapted) == pytest.approx(1)
    assert adapted[1] / adapted[2] > 0.3 / 0.2
    nobody = [((500.0, 500.0, 500.0, 500.0), 0.9)]
    assert adapt((0.3, 0.3, 0.2, 0.2), nobody, config=DECIDED) == (0.3, 0.3, 0.2, 0.2)


def test_the_better_prediction_gains_over_the_rounds() -> None:
    weights = EVEN
    for _ in range(400):
        weights = adapt(weights, [((900.0, 501.0, 501.0, 501.0), 0.9)], config=DECIDED)
    assert weights == pytest.approx((0.85, 0.05, 0.05, 0.05), abs=0.01)
    assert min(weights) >= DECIDED.weight_floor


@given(raw, judgements, st.floats(0.01, 10), st.floats(0, 0.25))
def test_weights_stay_in_the_simplex_above_the_floor(
    start: tuple[float, ...],
    seen: list[tuple[Four, float]],
    rate: float,
    floor: float,
) -> None:
    config = ReputationConfig(adaptation_rate=rate, weight_floor=floor)
    adapted = adapt(normalised(start), seen, config=config)
    assert math.fsum(adapted) == pytest.approx(1, abs=1e-12)
    assert min(adapted) >= floor


@given(raw, judgements)
def test_a_better_predicting_dimension_never_loses_to_a_worse(
    start: tuple[float, ...], seen: list[tuple[Four, float]]
) -> None:
    weights = normalised(start)
    adapted = adapt(weights, seen, config=ReputationConfig(weight_floor=0))
    losses = [sum((s[i] / 1000 - q) ** 2 for s, q in seen) for i in range(4)]
    moved = [i for i in range(4) if any(s[i] != 500 for s, _ in seen)]
    assume(moved)
    best, worst = min(moved, key=losses.__getitem__), max(moved, key=losses.__getitem__)
    assert adapted[best] / weights[best] >= adapted[worst] / weights[worst] - 1e-12


@pytest.mark.parametrize("start", [(1.0, 0.0, 0.0, 0.0), (0.97, 0.01, 0.01, 0.01)])
def test_a_start_below_the_floor_is_lifted_to_it(start: Four) -> None:
    adapted = adapt(start, [((600.0, 600.0, 600.0, 600.0), 0.6)], config=DECIDED)
    assert adapted == pytest.approx((0.85, 0.05, 0.05, 0.05))
