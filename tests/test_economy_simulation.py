"""`parity economy simulate`: real federations, books that balance, contracts that agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parity_flwr.app.economy.books import Books
from parity_flwr.app.economy.market import Market
from parity_flwr.app.economy.onchain import ChainSettler, chain_settler
from parity_flwr.app.economy.outcome import break_even_bribe
from parity_flwr.app.economy.plot import draw
from parity_flwr.app.economy.simulate import Simulation, simulate
from parity_flwr.cli.main import execute
from parity_flwr.core.economy.amounts import UNIT
from parity_flwr.errors import ConfigError, RunError

SMALL = Market(attacks=("sign_flip", "mimic"), rounds=25, clients=8, fraction=0.25)


@pytest.fixture(scope="module")
def played() -> Simulation:
    """Play two attacks without a chain."""
    return simulate(SMALL)


def test_money_is_conserved(played: Simulation) -> None:
    for each in played.scenarios:
        for books in (each.books, each.honest):
            state = books.state.rewards
            assert state.total + state.carried == SMALL.pool * SMALL.rounds
            lost = sum(books.slashed(name) for name in books.costs)
            assert sum(books.stakes.values()) + lost == SMALL.stake * SMALL.clients


def test_a_sign_flipper_is_caught_and_loses(played: Simulation) -> None:
    group = played.by_attack()["sign_flip"]
    verdict = played.verdict(group)
    assert not verdict.pays
    assert verdict.cheating_net < 0 < verdict.honest_net
    assert verdict.result.holds
    bribe = break_even_bribe(verdict, group)
    assert bribe is not None
    assert bribe > SMALL.bribe
    (scenario,) = group
    assert set(scenario.books.caught) == set(scenario.cheaters)
    assert scenario.behind_from() is not None


def test_a_mimic_is_not_caught_and_gains(played: Simulation) -> None:
    # The counterexample to theorem 9.2 that the federation itself gives.
    group = played.by_attack()["mimic"]
    verdict = played.verdict(group)
    assert verdict.detection == 0
    assert verdict.pays
    assert not verdict.result.holds
    assert break_even_bribe(verdict, group) == 0
    assert verdict.cheating_net > verdict.honest_net + SMALL.rounds * SMALL.cost // 2


def test_honest_participants_never_lose_their_stake(played: Simulation) -> None:
    for each in played.scenarios:
        assert all(each.books.slashed(name) == 0 for name in each.others)


def test_the_calculator_explains_what_was_measured(played: Simulation) -> None:
    verdict = played.verdict(played.by_attack()["mimic"])
    assert abs(verdict.result.cheating - verdict.cheating_net) < UNIT
    assert abs(verdict.result.honest - verdict.honest_net) < UNIT


@pytest.mark.parametrize(("kind", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_plots(played: Simulation, kind: str, head: bytes) -> None:
    assert draw(played, kind="png" if kind == "png" else "svg").startswith(head)


@pytest.mark.parametrize(
    "changes",
    [
        {"attacks": ("none",)},
        {"attacks": ()},
        {"attacks": ("mimic", "mimic")},
        {"rounds": 0},
        {"fraction": 0.5},
        {"fraction": 0.01},
        {"seeds": ()},
        {"pool": -1},
    ],
)
def test_markets_out_of_range_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Market(**changes)  # type: ignore[arg-type]


def test_the_command_writes_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "economy simulate --attacks free_rider --rounds 8 --clients 6 --chain off --json"
    assert execute([*line.split(), "--output", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["attacks"][0]["attack"] == "free_rider"
    assert {path.name for path in tmp_path.iterdir()} == {
        "economy.json",
        "economy.png",
        "economy.svg",
    }


@pytest.mark.slow
def test_the_contracts_pay_and_slash_what_the_books_say() -> None:
    market = Market(attacks=("alie",), rounds=12, clients=6, fraction=0.34)
    done = simulate(market, settler=chain_settler)
    honest, cheated = done.settlements
    assert honest["slashed"] == "0"
    assert int(cheated["slashed"]) > 0
    assert cheated["left_in_pool"] == cheated["slashed"]
    assert honest["paid"] == cheated["paid"] == str(market.pool * market.rounds)


def test_a_unit_too_much_in_the_books_is_found() -> None:
    class Greedy(ChainSettler):
        """Compares with books in which somebody earned one unit more."""

        def _compare(self, books: Books) -> None:
            name = next(iter(books.state.rewards.earned))
            books.state.rewards.earned[name] += 1  # type: ignore[index]
            super()._compare(books)

    with pytest.raises(RunError, match="on the chain needs to be the books'"):
        simulate(Market(attacks=("alie",), rounds=3, clients=4, fraction=0.25), settler=Greedy)
