"""Rule, evidence, reputation and weights together, over fifteen rounds in numpy."""

from __future__ import annotations

import pytest

from parity_flwr.core.config import Design, RobustnessConfig, TrustConfig
from synthetic_federation import (
    Attack,
    a_little,
    identical,
    identical_noise,
    run,
    shift_everything,
    sign_flip,
)

SEEDS = (0, 1, 2)
NEIGHBOUR, RESPONSE = (
    TrustConfig(robustness=RobustnessConfig(design=design)) for design in Design
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("config", [NEIGHBOUR, RESPONSE], ids=list(Design))
def test_nobody_is_excluded_when_all_are_honest(config: TrustConfig, seed: int) -> None:
    outcome = run(None, seed=seed, config=config)
    assert outcome.excluded == ()
    assert min(outcome.composites) > 600  # everybody has gained
    assert outcome.error < 0.05


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("config", "attackers", "rounds"),
    [(NEIGHBOUR, 3, 15), (NEIGHBOUR, 4, 15), (RESPONSE, 3, 15), (RESPONSE, 4, 30)],
)
@pytest.mark.parametrize("attack", [sign_flip, a_little, identical, shift_everything])
def test_exactly_the_attackers_are_excluded(
    attack: Attack, config: TrustConfig, attackers: int, rounds: int, seed: int
) -> None:
    outcome = run(attack, seed=seed, attackers=attackers, rounds=rounds, config=config)
    assert outcome.excluded == tuple(f"c{k}" for k in range(attackers))
    assert min(outcome.composites[attackers:]) > 500
    assert outcome.error < 0.06


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("attackers", [3, 4])
def test_colluders_in_noise_lose_their_weight_while_it_matters(
    attackers: int, seed: int
) -> None:
    # Near convergence noise of ordinary length is what everybody sends, and is forgiven.
    early, late = (
        run(
            identical_noise,
            seed=seed,
            attackers=attackers,
            rounds=rounds,
            config=NEIGHBOUR,
        )
        for rounds in (5, 15)
    )
    assert early.excluded == tuple(f"c{k}" for k in range(attackers))
    assert min(late.composites[attackers:]) > 600
    assert late.error < 0.06


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("attackers", [3, 4])
def test_noise_that_repeats_has_one_voice_by_default(attackers: int, seed: int) -> None:
    outcome = run(identical_noise, seed=seed, attackers=attackers)
    assert outcome.excluded == ()  # it lies nothing, and costs next to nothing
    assert outcome.error < 0.03
