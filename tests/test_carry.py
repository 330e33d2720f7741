"""Reputation, bans and bound keys go from run to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.journal.opening import from_environment, last_reputation
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.config import ReputationConfig, TrustConfig
from parity_flwr.core.records import Action
from parity_flwr.strategies import ReputationFedAvg
from trust_runs import ListJournal, client_app, nudge, run, state_of

FLIP = client_app(
    lambda partition, round_, array: (
        2 * array - nudge(partition, round_, array)
        if partition == 0
        else nudge(partition, round_, array)
    )
)


def journal_at(home: Path, name: str) -> SqlJournal:
    folder = RunFolder.create(home, name)
    return SqlJournal(folder.journal_url, folder.id, folder)


def test_liar_found_out_in_one_run_has_no_weight_in_the_next(tmp_path: Path) -> None:
    first = journal_at(tmp_path, "first")
    run(ReputationFedAvg(seed=1, journal=first), app=FLIP, clients=6, rounds=6)
    state = last_reputation(first.folder)
    assert state.standings["client-0"].composite < 200
    second = journal_at(tmp_path, "second")
    second.carried = state
    run(ReputationFedAvg(seed=2, journal=second), clients=6, rounds=1)
    decisions = {each.identity: each for each in second.rounds()[0].decision.replies}
    assert decisions["client-0"].excluded
    assert decisions["client-0"].weight == 0
    assert all(decisions[f"client-{k}"].weight > 0 for k in range(1, 6))
    header = second.header()
    assert header is not None
    assert header.initial_state == state
    assert verify(second.folder).ok


def test_bans_carry_over_and_a_pardon_ends_them(tmp_path: Path) -> None:
    first = journal_at(tmp_path, "first")
    run(ReputationFedAvg(seed=1, journal=first), rounds=1)
    first.add_action(Action(kind="ban", identity="client-3", reason="found out"))
    again = journal_at(tmp_path, "second")
    again.carried = last_reputation(first.folder)
    _, grid = run(ReputationFedAvg(seed=2, journal=again), rounds=2)
    assert 3 not in grid.asked("train")
    pardon = Action(kind="unban", identity="client-3", reason="mistake", sequence=1)
    third = ListJournal(carried=last_reputation(again.folder), actions=[pardon])
    _, grid = run(ReputationFedAvg(seed=2, journal=third), rounds=1)
    assert 3 in grid.asked("train")


def test_given_reputation_comes_before_the_journal_s() -> None:
    journal = ListJournal(carried=state_of(client_0=100.0))
    given = state_of(client_0=900.0)
    strategy = ReputationFedAvg(seed=1, journal=journal, carried=given)
    run(strategy, rounds=1)
    assert journal.headers[0].initial_state == given


def test_carried_key_stays_bound() -> None:
    carried = state_of(client_2=600.0)
    bound = replace(carried.standings["client-2"], public_key="ab" * 32)
    journal = ListJournal(carried=replace(carried, standings={"client-2": bound}))
    run(ReputationFedAvg(seed=1, journal=journal), rounds=1)
    facts = {each.identity: each for each in journal.rounds[0].facts.replies}
    assert facts["client-2"].reason == "not signed"


def test_old_hands_are_not_on_probation() -> None:
    """A newcomer among veterans gets the probation share at most; all-new federations share."""
    config = TrustConfig(reputation=ReputationConfig(probation_share=0.05))
    names = {f"client_{k}": 500.0 for k in range(4)}
    journal = ListJournal(carried=state_of(**names))
    run(ReputationFedAvg(seed=1, journal=journal, config=config), rounds=1)
    weights = {each.identity: each.weight for each in journal.rounds[0].decision.replies}
    assert weights["client-4"] == pytest.approx(0.05)
    assert sum(weights.values()) == pytest.approx(1)


def test_run_named_in_the_environment_is_carried_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_HOME", str(tmp_path))
    first = journal_at(tmp_path, "first")
    run(ReputationFedAvg(seed=1, journal=first), rounds=2)
    monkeypatch.setenv("PARITY_REPUTATION_FROM", "first")
    strategy = ReputationFedAvg(seed=2)  # the journal that the environment offers
    run(strategy, rounds=1)
    assert strategy.state.standings["client-0"].rounds == 3
    assert from_environment().carried == replace(first.rounds()[-1].state, round=0)
