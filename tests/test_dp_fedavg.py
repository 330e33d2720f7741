"""DP-FedAvg: bounded influence, honest noise, a ledger that no crash can fool."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAdam, FedAvg, Strategy

from dp_federation import (
    SEED,
    SIZE,
    ListJournalWithCharges,
    app_that_sends,
    app_with_identity,
    honest_like,
    model,
    promise,
    run,
)
from parity_flwr.app.conformance import honest_app
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.canonical import dumps
from parity_flwr.core.privacy.accounting import Mechanism
from parity_flwr.core.privacy.central import (
    AdaptiveClip,
    release,
    update_multiplier,
)
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.core.records import Action
from parity_flwr.core.rows import MatrixRows
from parity_flwr.errors import BudgetError, ConfigError, JournalError
from parity_flwr.strategies import DPFedAvg, Sampling
from privacy_crash import POINTS, journal_of, survive


def test_without_noise_it_is_the_mean_of_clipped_updates() -> None:
    tiny = promise(epsilon=400.0, noise_multiplier=0.11, clip=2.0, rounds=1)
    moved, _, _ = run(tiny, app_that_sends(lambda p: 0.001 * p))
    # Lengths 0.02 p: nobody is clipped; the six average to 0.0025 whatever n_k they claim.
    assert moved.mean() == pytest.approx(0.0025, abs=4 * 0.11 * 2 / 6 / math.sqrt(SIZE))
    assert abs(moved.std() - 0.11 * 2 / 6) < 0.01


def test_the_noise_is_what_was_charged_whoever_comes() -> None:
    privacy = promise(noise_multiplier=3.0, epsilon=50.0)
    for clients in (1, 6):
        moved, strategy, _ = run(
            privacy,
            app_that_sends(lambda p: 0.0),
            clients=clients,
            sampling=Sampling(min_available_nodes=1, min_train_nodes=0, fraction_evaluate=0.0),
        )
        assert moved.std() == pytest.approx(3.0 / 6, rel=0.15)
        assert strategy.ledger.charges[0].noise_multiplier == 3.0


def test_one_client_moves_the_sum_by_the_clip_at_most() -> None:
    privacy = promise(noise_multiplier=1.0, epsilon=50.0)
    liar, _, _ = run(privacy, app_that_sends(lambda p: 1e6 if p == 3 else 0.0))
    without, _, _ = run(privacy, app_that_sends(lambda p: 0.0))
    assert np.linalg.norm((liar - without) * 6) == pytest.approx(1.0, rel=1e-5)


def test_integer_arrays_and_metrics_do_not_leave() -> None:
    _, _, result = run(promise(), app_that_sends(lambda p: 0.1))
    assert int(result.arrays["n"].numpy()) == 7
    assert not any(result.train_metrics_clientapp.values())


@pytest.mark.parametrize("inner", [FedAvg(), FedAdam(eta=0.1)])
def test_any_inner_strategy_gets_the_noisy_average_only(inner: Strategy) -> None:
    _, strategy, result = run(promise(), honest_like(), rounds=3, inner=inner)
    assert len(strategy.ledger.charges) == 3
    assert np.isfinite(result.arrays["w"].numpy()).all()


def test_a_malformed_reply_costs_its_own_contribution_only() -> None:
    privacy = promise(noise_multiplier=1.0, epsilon=50.0)
    bad, _, _ = run(privacy, app_that_sends(lambda p: math.nan if p == 3 else 0.01 * p))
    absent, _, _ = run(privacy, app_that_sends(lambda p: 0.0 if p == 3 else 0.01 * p))
    assert bad.tolist() == absent.tolist()


def test_the_run_ends_where_the_budget_does(caplog: pytest.LogCaptureFixture) -> None:
    privacy = promise(noise_multiplier=3.0, epsilon=4.0, rounds=50)
    journal = ListJournalWithCharges()
    _, strategy, _ = run(privacy, honest_like(), rounds=50, journal=journal)
    rounds = len(journal.rounds)
    assert 1 < rounds < 50
    assert strategy.ledger.spent() <= 4.0
    assert strategy.ledger.affordable(strategy.ledger.charges[0], most=5) == 0
    assert journal.endings == [("completed", "")]
    assert f"covers {rounds} of 50 rounds" in caplog.text
    with pytest.raises(BudgetError):
        strategy._charge(rounds + 1)
    with pytest.raises(ConfigError, match="at least one round"):
        run(promise(noise_multiplier=0.3, epsilon=0.5), honest_like())


def test_the_journal_names_no_client_and_holds_no_figure(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "run")
    run(promise(), honest_app(), rounds=2, journal=journal)
    text = b"".join(dumps(each) for each in journal.rounds()).decode()
    assert "client-" not in text
    assert all(not each.metrics and not each.facts.replies for each in journal.rounds())
    outcome = verify(journal.folder)
    assert outcome.ok
    lines = {each.name: each for each in outcome.lines}
    assert "2 charges, epsilon" in lines["privacy ledger"].detail
    assert lines["decisions"].ok
    with pytest.raises(JournalError, match="numbers it was charged with"):
        journal.charge(Charge(run="run", round=1, noise_multiplier=99.0))


def test_an_uncharged_or_overspent_run_does_not_verify(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "run")
    run(promise(), honest_app(), rounds=2, journal=journal)
    more = Charge(run="run", round=9, noise_multiplier=0.4)
    journal.charge(more)
    failed = [each for each in verify(journal.folder).lines if each.ok is False]
    assert [each.name for each in failed] == ["privacy ledger"]
    assert "was spent of 8" in failed[0].detail


def test_a_charge_is_written_once_per_key(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "run")
    run(promise(), honest_app(), rounds=1, journal=journal)
    (first,) = journal.charges()
    journal.charge(first)
    assert journal.charges() == (first,)
    other = Charge(
        run="run", round=1, client="client-1", mechanism=Mechanism.LAPLACE, noise_multiplier=2.0
    )
    journal.charge(other)
    assert journal.charges() == (first, other)


def test_poisson_sampling_takes_part_of_them_and_amplifies() -> None:
    asked: list[int] = []

    def note(partition: int) -> float:
        asked.append(partition)
        return 0.0

    privacy = promise(clients=60, sampling=0.3, rounds=5)
    _, strategy, _ = run(privacy, app_that_sends(note), rounds=5, clients=60)
    assert 55 < len(asked) < 125  # 300 chances of 0.3
    assert len(set(asked)) > 35
    assert strategy.ledger.charges[0].sampling == 0.3
    assert strategy.multiplier < 0.8 * promise(clients=60, rounds=5).multiplier()


def test_a_round_in_which_nobody_is_drawn_is_released_like_any_other() -> None:
    privacy = promise(sampling=1e-9, noise_multiplier=1.0)
    moved, strategy, _ = run(privacy, honest_like(), rounds=1)
    assert len(strategy.ledger.charges) == 1
    assert moved.std() > 1e6  # noise alone, over a tiny expected number of clients


def test_the_clip_follows_the_quantile_within_the_same_charge() -> None:
    adaptive = AdaptiveClip(quantile=0.5, rate=1.0, count_noise=6.0)
    privacy = promise(
        clip=0.01, noise_multiplier=2.0, epsilon=40.0, adaptive=adaptive, rounds=9
    )
    journal = ListJournalWithCharges()
    run(privacy, app_that_sends(lambda p: 0.05), rounds=9, journal=journal)  # length 1
    clips = [each.metrics["clip"] for each in journal.rounds]
    assert clips[-1] > clips[0]
    assert float(journal.checkpoints[-1].memory["clip"][0]) == clips[-1]
    assert {each.noise_multiplier for each in journal.charged} == {2.0}
    with pytest.raises(ConfigError, match="above 1 clients"):
        update_multiplier(2.0, count_noise=1.0)


def test_adaptive_noise_is_a_little_larger() -> None:
    adaptive = promise(adaptive=AdaptiveClip(count_noise=2.0))
    rows = MatrixRows(np.zeros((0, 20_000), np.float32))
    noisy = release(
        rows,
        norms=np.empty(0),
        clip=1.0,
        privacy=adaptive,
        multiplier=3.0,
        stream=RandomStream(SEED),
    )
    expected = (3.0**-2 - 4.0**-2) ** -0.5
    assert noisy.update.std() * 6 == pytest.approx(expected, rel=0.03)


def test_a_ban_is_respected_and_replayed(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "run")
    asked: list[int] = []

    def note(partition: int) -> float:
        asked.append(partition)
        return 0.0

    strategy = DPFedAvg(promise(), journal=journal, noise_seed=SEED)
    with InProcessGrid(app_with_identity(note), 6) as grid:
        strategy.begin(model(), grid, num_rounds=2)
        journal.add_action(Action(kind="ban", identity="client-2", reason="asked to"))
        strategy.start(grid, model(), num_rounds=2)
    assert 2 not in asked
    assert len(asked) == 10
    assert verify(journal.folder).ok


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_no_kill_forgets_or_doubles_a_charge(tmp_path: Path, point: str) -> None:
    survive(tmp_path / "run", point, 2)
