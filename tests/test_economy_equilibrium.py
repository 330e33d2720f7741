"""P-13: the calculator against closed forms, a naive float twin and its own limits."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.cli.main import execute
from parity_flwr.core.economy.amounts import MILLION, UNIT
from parity_flwr.core.economy.equilibrium import (
    MAX_HORIZON,
    CheatingGame,
    equilibrium,
    least_detection,
)
from parity_flwr.errors import ConfigError

GAME = CheatingGame(
    detection=(500_000,), honest_reward=100, cheating_reward=100, gain=50, horizon=2
)
chances = st.integers(0, MILLION)
games = st.builds(
    CheatingGame,
    detection=st.lists(chances, min_size=1, max_size=4).map(tuple),
    honest_reward=st.integers(-50, 1000),
    cheating_reward=st.integers(-50, 1000),
    gain=st.integers(0, 1000),
    slash=st.integers(0, 10_000),
    horizon=st.integers(1, 30),
    discount=chances,
    exclusion=st.integers(0, 40),
)


def test_two_rounds_by_hand() -> None:
    # Uncaught in round 1 with 1/2, in round 2 with 1/4: 3/4 of a round of cheating in all.
    result = equilibrium(GAME)
    assert (result.honest, result.cheating, result.gain) == (200, 75, 37)
    assert (float(result.uncaught), float(result.caught)) == (0.75, 0.75)
    assert result.holds
    assert result.break_even == 166  # 125 / 0.75


def test_a_slash_is_paid_once_and_an_exclusion_ends() -> None:
    certain = replace(GAME, detection=(MILLION,), horizon=10, slash=30, exclusion=3)
    # Caught in round 1, away in 2 to 4, honest in 5 to 10.
    assert equilibrium(certain).cheating == 6 * 100 - 30
    assert equilibrium(replace(certain, exclusion=MAX_HORIZON)).cheating == -30


def test_a_certain_catch_leaves_no_break_even() -> None:
    result = equilibrium(replace(GAME, detection=(MILLION,)))
    assert (result.gain, result.break_even, result.holds) == (0, None, True)


@given(games)
def test_the_naive_twin_agrees(game: CheatingGame) -> None:
    worth, survival, honest, cheating, gain = 1.0, 1.0, 0.0, 0.0, 0.0
    back: dict[int, float] = {}
    for number in range(1, game.horizon + 1):
        risk = survival * game.chance(number) / MILLION
        survival -= risk
        home = sum(chance for start, chance in back.items() if start <= number)
        back[number + game.exclusion + 1] = risk
        honest += worth * game.honest_reward
        cheating += worth * (
            survival * game.cheating_reward - risk * game.slash + home * game.honest_reward
        )
        gain += worth * survival * game.gain
        worth *= game.discount / MILLION
    result = equilibrium(game)
    assert result.honest == pytest.approx(honest, abs=1.001, rel=1e-9)
    assert result.cheating == pytest.approx(cheating, abs=1.001, rel=1e-9)
    assert result.gain == pytest.approx(gain, abs=1.001, rel=1e-9)


@given(games)
def test_honesty_holds_up_to_the_break_even_gain_and_not_past_it(game: CheatingGame) -> None:
    even = equilibrium(game).break_even
    if even is not None and even > 0 and equilibrium(game).uncaught > 1:
        assert equilibrium(replace(game, gain=max(0, even - 3))).margin >= 0
        assert not equilibrium(replace(game, gain=even + 3)).holds


@given(games, chances, chances)
def test_cheating_is_worth_less_when_it_is_caught_more_often(
    game: CheatingGame, one: int, other: int
) -> None:
    forever = replace(game, exclusion=MAX_HORIZON, cheating_reward=abs(game.cheating_reward))
    low, high = sorted((one, other))
    rarely, often = (
        equilibrium(replace(forever, detection=(chance,))) for chance in (low, high)
    )
    assert often.cheating + often.gain <= rarely.cheating + rarely.gain + 2


def test_the_least_detection_is_the_edge() -> None:
    game = replace(GAME, horizon=50, gain=100, discount=990_000)
    least = least_detection(game)
    assert least is not None
    assert equilibrium(replace(game, detection=(least,))).holds
    assert not equilibrium(replace(game, detection=(least - 1,))).holds


def test_an_unpaid_participant_cannot_be_held() -> None:
    idle = replace(GAME, honest_reward=0, gain=1)
    assert least_detection(idle) is None


def test_the_command_solves(capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        "economy equilibrium --detection 0.5 --honest 100 --cheating 100 --gain 50 --rounds 2"
    )
    assert execute([*line.split(), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["holds"]
    assert (result["honest"], result["gain"]) == (str(200 * UNIT), str(75 * UNIT // 2))
    assert execute(line.split()) == 0
    assert "honesty is an equilibrium" in capsys.readouterr().out
    assert execute([*line.split(), "--discount", "2"]) == 2


def test_ranges() -> None:
    for changes in ({"detection": ()}, {"horizon": 0}, {"gain": -1}, {"discount": MILLION + 1}):
        with pytest.raises(ConfigError):
            replace(GAME, **changes)
