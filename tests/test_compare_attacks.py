"""The grid's attacks: the same as the clients' where both exist, else answers by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from parity_flwr.app.compare import attacks
from parity_flwr.app.compare.attack_names import ATTACKS
from parity_flwr.app.compare.scene import Scene
from parity_flwr.clients.attacks import (
    ALIE,
    IPM,
    Attack,
    FreeRider,
    GaussianNoise,
    OnOff,
    SignFlip,
)

SEED, ROUNDS = 11, 60
BAD = np.array([1, 4, 6])


def scene(server_round: int = 3, clients: int = 10, size: int = 40) -> Scene:
    rng = np.random.default_rng(2)
    shift = rng.standard_normal(size)
    updates = (shift + rng.standard_normal((clients, size))).astype(np.float32)
    return Scene(updates, BAD, server_round, ROUNDS, SEED)


def by_clients(attack: Attack, seen: Scene) -> NDArray[np.float64]:
    """Return what the attack suite sends, one attacker after the other, in two arrays."""
    cut = 13  # a model has several arrays; the grid has one row

    def split(row: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        return [row[:cut].astype(np.float64), row[cut:].astype(np.float64)]

    honest = [split(row) for row in seen.honest]
    colluders = [split(row) for row in seen.own]
    return np.stack(
        [
            np.concatenate(
                attack.craft(
                    own,
                    colluders=colluders,
                    honest=honest,
                    rng=np.random.default_rng([SEED, seen.round, int(k)]),
                )
            )
            for k, own in zip(BAD, colluders, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (attacks.sign_flip, lambda seen: SignFlip(scale=attacks.FLIP_SCALE)),
        (attacks.noise, lambda seen: GaussianNoise(ratio=attacks.NOISE_RATIO)),
        (attacks.alie, lambda seen: ALIE(z=attacks.ALIE_DEVIATIONS)),
        (attacks.ipm, lambda seen: IPM(epsilon=attacks.IPM_EPSILON)),
        (attacks.free_rider, lambda seen: FreeRider(noise=attacks.free_rider_noise(seen))),
    ],
)
def test_both_suites_send_the_same(
    ours: Callable[[Scene], NDArray[np.float32]], theirs: Callable[[Scene], Attack]
) -> None:
    seen = scene()
    np.testing.assert_allclose(ours(seen), by_clients(theirs(seen), seen), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("server_round", range(1, ROUNDS + 1))
def test_on_off_strikes_in_the_same_rounds(server_round: int) -> None:
    seen = scene(server_round)
    suite = OnOff(
        inner=SignFlip(scale=attacks.FLIP_SCALE),
        start=attacks.on_off_start(ROUNDS),
        period=attacks.ON_OFF_PERIOD,
    )
    struck = not np.array_equal(attacks.on_off(seen), seen.own)
    assert struck == suite.strikes(server_round)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_sends_finite_rows_and_changes_nobody(name: str) -> None:
    seen = scene(server_round=21)
    before = seen.updates.copy()
    crafted = ATTACKS[name].craft(seen)
    assert crafted.shape == (3, 40)
    assert crafted.dtype == np.float32
    assert np.isfinite(crafted).all()
    np.testing.assert_array_equal(seen.updates, before)
    np.testing.assert_array_equal(crafted, ATTACKS[name].craft(scene(server_round=21)))


def test_min_max_goes_as_far_as_the_farthest_honest_pair() -> None:
    seen = scene()
    crafted = attacks.min_max(seen)[0]
    pairs = np.linalg.norm(seen.honest[:, None] - seen.honest[None, :], axis=2)
    farthest = np.linalg.norm(seen.honest - crafted, axis=1).max()
    np.testing.assert_allclose(farthest, pairs.max(), rtol=1e-4)


def test_min_sum_goes_as_far_as_the_largest_honest_sum() -> None:
    seen = scene()
    crafted = attacks.min_sum(seen)[0]
    pairs = np.linalg.norm(seen.honest[:, None] - seen.honest[None, :], axis=2)
    theirs = float((np.linalg.norm(seen.honest - crafted, axis=1) ** 2).sum())
    np.testing.assert_allclose(theirs, (pairs**2).sum(axis=1).max(), rtol=1e-4)


def test_pairs_are_identical_and_differ_from_each_other() -> None:
    for craft in (attacks.loud_pairs, attacks.quiet_pairs):
        rows = craft(Scene(scene().updates, np.arange(5), 3, ROUNDS, SEED))
        np.testing.assert_array_equal(rows[0], rows[1])
        np.testing.assert_array_equal(rows[2], rows[4])  # the odd one joins the last pair
        assert not np.array_equal(rows[1], rows[2])


def test_quiet_pairs_have_honest_length_and_one_alone_is_honest() -> None:
    seen = scene()
    lengths = np.linalg.norm(attacks.quiet_pairs(seen), axis=1)
    np.testing.assert_allclose(lengths, seen.norm, rtol=1e-5)
    alone = Scene(seen.updates, np.array([2]), 3, ROUNDS, SEED)
    np.testing.assert_array_equal(attacks.quiet_pairs(alone), alone.own)


def test_a_mimic_copies_the_same_honest_client_in_every_round() -> None:
    sent = attacks.mimic(scene(1))
    assert (scene(1).honest == sent[0]).all(axis=1).sum() == 1
    np.testing.assert_array_equal(sent, attacks.mimic(scene(50)))


def test_drift_is_the_own_update_and_a_bias() -> None:
    seen = scene()
    for craft, bias in (
        (attacks.drift_3, -3 * seen.mean),
        (attacks.drift_1_5, -1.5 * seen.mean),
        (attacks.drift_deviation, -seen.deviation),
    ):
        wanted = np.broadcast_to(bias, (3, 40))
        np.testing.assert_allclose(craft(seen) - seen.own, wanted, atol=1e-5)
