"""Rounds of few steps: honest answers to the model's step are noise, or turned around."""

from __future__ import annotations

import numpy as np
import pytest

from plateau_federation import Plateau


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 20])
@pytest.mark.parametrize("seed", [0, 2, 3])
def test_honest_clients_keep_their_weight(steps: int, seed: int) -> None:
    """They lost it where a gradient that grows was taken for a sign flip."""
    federation = Plateau(seed=seed, steps=steps)
    federation.run(12)
    assert not np.any(federation.excluded)


@pytest.mark.parametrize("seed", range(3))
def test_on_a_plateau_liars_are_found_and_nobody_else(seed: int) -> None:
    federation = Plateau(seed=seed, steps=10, liars=3)
    accuracy = federation.run(15)
    ever = np.any(federation.excluded, axis=0)
    assert federation.excluded[-1].tolist() == [False] * 7 + [True] * 3
    assert not ever[:7].any()
    assert accuracy > 0.9


def test_the_plateau_turns_answers_around() -> None:
    """What makes this hard is there: everybody's update grows with the model's step."""
    federation = Plateau(seed=2, steps=10)
    federation.run(6)
    assert federation.contender.last is not None
    facts, _ = federation.contender.last
    answers = [reply.figures["response"] for reply in facts.replies]
    assert min(answers) > 0.06
    assert {reply.figures["answered"] < 0 for reply in facts.replies} == {True}
