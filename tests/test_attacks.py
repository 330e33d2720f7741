"""The attack suite: each attack by hand, when it strikes, and its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower_messages import node
from parity_flwr.clients.attacks import (
    ALIE,
    ATTACKS,
    IPM,
    Attack,
    Colluders,
    FreeRider,
    GaussianNoise,
    LabelFlip,
    NaNAttack,
    OnOff,
    Scaling,
    SignFlip,
    Update,
    attacked_labels,
    parse_attackers,
    z_max,
)
from parity_flwr.errors import ConfigError

OWN: Update = [np.array([[1.0, 2.0]]), np.array([-2.0])]
FRIENDS: list[Update] = [OWN, [np.array([[3.0, 2.0]]), np.array([4.0])]]
HONEST: list[Update] = [[np.array([[0.0, 1.0]]), np.array([1.0])]] * 2


def craft(
    attack: Attack,
    *,
    own: Update = OWN,
    colluders: Sequence[Update] = FRIENDS,
    honest: Sequence[Update] | None = None,
    seed: int = 0,
) -> list[float]:
    rng = np.random.default_rng(seed)
    update = attack.craft(own, colluders=colluders, honest=honest, rng=rng)
    assert [np.shape(array) for array in update] == [np.shape(array) for array in own]
    return [float(value) for array in update for value in np.ravel(array)]


# By hand. Mean of FRIENDS is [2, 2, 1], deviation [1, 0, 3]; of HONEST [0, 1, 1] and 0.
@pytest.mark.parametrize(
    ("attack", "honest", "expected"),
    [
        (SignFlip(), None, [-1, -2, 2]),
        (SignFlip(scale=3.0), None, [-3, -6, 6]),
        (Scaling(factor=10.0), None, [10, 20, -20]),
        (LabelFlip(), None, [1, 2, -2]),
        (FreeRider(), None, [0, 0, 0]),
        (NaNAttack(), None, [np.nan] * 3),
        (ALIE(z=1.5), None, [2 - 1.5, 2, 1 - 4.5]),
        (ALIE(z=1.5), HONEST, [0, 1, 1]),
        (IPM(epsilon=0.5), None, [-1, -1, -0.5]),
        (IPM(epsilon=2.0), HONEST, [0, -2, -2]),
        (Colluders(), None, [-2, -2, -1]),
        (Colluders(scale=0.5), HONEST, [-1, -1, -0.5]),
        (OnOff(inner=Scaling(factor=2.0)), None, [2, 4, -4]),
    ],
    ids=repr,
)
def test_crafted_updates(
    attack: Attack, honest: list[Update] | None, expected: list[float]
) -> None:
    np.testing.assert_allclose(craft(attack, honest=honest), expected)


def test_gaussian_noise_has_the_norm_asked_for() -> None:
    noise = craft(GaussianNoise(ratio=2.0))
    assert np.linalg.norm(noise) == pytest.approx(2 * 3.0)  # |OWN| = 3
    assert craft(GaussianNoise(ratio=2.0)) == noise
    assert craft(GaussianNoise(ratio=2.0), seed=1) != noise
    zero = [np.zeros((1, 2)), np.zeros(1)]
    assert craft(GaussianNoise(), own=zero) == [0, 0, 0]


def test_a_free_rider_s_noise_is_small_and_its_own() -> None:
    noise = craft(FreeRider(noise=1e-3))
    assert 0 < np.linalg.norm(noise) < 1e-2
    large = [np.zeros(100_000)]
    assert np.std(craft(FreeRider(noise=0.5), own=large)) == pytest.approx(0.5, rel=0.02)


def test_alie_alone_is_honest() -> None:
    assert craft(ALIE(), colluders=[OWN]) == craft(LabelFlip())


# Phi(0.180012) = 4/7, Phi(0) = 1/2, from tables; n = 50, f = 12 is the paper's federation.
@pytest.mark.parametrize(
    ("n", "f", "expected"), [(10, 3, 0.180012), (50, 12, 0.336038), (4, 1, -0.430727)]
)
def test_z_max(n: int, f: int, expected: float) -> None:
    assert z_max(n=n, f=f) == pytest.approx(expected, abs=1e-6)


def test_alie_computes_z_from_the_attackers_at_hand() -> None:
    assert craft(ALIE(z=None, n=10)) == craft(ALIE(z=z_max(n=10, f=2)))


@pytest.mark.parametrize(("n", "f"), [(10, 0), (10, 5), (1, 1)])
def test_z_max_needs_a_minority(n: int, f: int) -> None:
    with pytest.raises(ConfigError, match="0 < f < n/2"):
        z_max(n=n, f=f)


def test_alie_needs_z_or_n() -> None:
    with pytest.raises(ConfigError, match="ALIE needs z"):
        ALIE(z=None)


@pytest.mark.parametrize(
    ("attack", "rounds"),
    [
        (SignFlip(), [1, 2, 3, 4, 5, 6, 7, 8]),
        (OnOff(start=3), [3, 4, 5, 6, 7, 8]),
        (OnOff(start=3, period=2), [3, 4, 7, 8]),
        (OnOff(inner=OnOff(start=5), start=1, period=1), [5, 7]),
    ],
)
def test_when_an_attack_strikes(attack: Attack, rounds: list[int]) -> None:
    assert [r for r in range(1, 9) if attack.strikes(r)] == rounds


def test_on_off_speaks_for_its_inner_attack() -> None:
    assert OnOff(inner=LabelFlip(classes=3)).node_config == {"parity-flip-labels": 3}
    assert OnOff(inner=ALIE()).needs_colluders
    assert not OnOff().needs_colluders
    with pytest.raises(ConfigError, match="period of at least 1"):
        OnOff(period=0)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_registered_attack_is_frozen_pure_and_has_defaults(name: str) -> None:
    attack = ATTACKS[name]()
    assert dataclasses.is_dataclass(attack)
    assert ATTACKS[name]() == attack
    before = [array.copy() for friend in FRIENDS for array in friend]
    assert len(craft(attack)) == 3
    np.testing.assert_equal(craft(attack), craft(attack))
    after = [array for friend in FRIENDS for array in friend]
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert {*parse_attackers(f"0:{name}")} == {0}


@given(st.floats(-5, 5), st.permutations(range(4)))
def test_colluding_attacks_do_not_depend_on_the_order(z: float, order: list[int]) -> None:
    rng = np.random.default_rng(0)
    crowd = [[rng.normal(size=(1, 2)), rng.normal(size=1)] for _ in range(4)]
    for attack in (ALIE(z=z), IPM(), Colluders()):
        shuffled = craft(attack, colluders=[crowd[index] for index in order])
        np.testing.assert_allclose(shuffled, craft(attack, colluders=crowd), atol=1e-12)


@pytest.mark.parametrize("text", ["", " , ", "2:sign_flip, 5:label_flip", " 9 : nan "])
def test_attackers_are_parsed(text: str) -> None:
    expected: dict[str, dict[int, Attack]] = {
        "2:sign_flip, 5:label_flip": {2: SignFlip(), 5: LabelFlip()},
        " 9 : nan ": {9: NaNAttack()},
    }
    assert parse_attackers(text) == expected.get(text, {})


@pytest.mark.parametrize(
    "text",
    ["2", "x:nan", "-1:nan", "1:nope", "1:nan,1:alie", "1:nan:2", "٣:nan", "9999999999:nan"],
)
def test_malformed_attackers_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="attackers need PARTITION:NAME"):
        parse_attackers(text)


def test_labels_flip_only_where_configured() -> None:
    labels = np.array([0, 1, 9])
    assert attacked_labels(labels, node(0)) is labels
    flipped = attacked_labels(labels, node(0, {"parity-flip-labels": 10}))
    assert flipped.tolist() == [9, 8, 0]
    assert labels.tolist() == [0, 1, 9]
