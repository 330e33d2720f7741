"""Three modes by name, and the paper's equations by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg

from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.build import write_report
from parity_flwr.app.report.summary import summarise
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import Design, GateConfig, TrustConfig
from parity_flwr.core.measure import NeighbourRule
from parity_flwr.core.modes import Mode, mode_name, mode_of, trust_config
from parity_flwr.core.records import (
    BallotFacts,
    ReputationState,
    RoundDecision,
    RoundStatus,
)
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rounds import decide
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.shares import client_alpha
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import Options, Reputation, ReputationConsensus, ReputationFedAvg
from round_facts import accepted, honest_round, missing, round_of, standing
from trust_runs import ListJournal, run

PAPER = trust_config(Mode.PAPER)
JUDGED = Path(__file__).parent / "apps" / "judged"

# Eq. 5's distances and what the paper leaves open (deviation, quality) are given here.
FIRST = round_of(
    accepted("a", num_examples=10, norm=2.0, rho=0.0, deviation=0.0, quality=1.0),
    accepted("b", num_examples=20, norm=2.0, rho=0.0, deviation=0.2, quality=0.9),
    accepted("c", num_examples=30, norm=2.0, rho=5.0, deviation=0.5, quality=0.6),
    accepted("d", num_examples=40, norm=2.0, rho=1.0, deviation=0.1, quality=0.8),
)
SECOND = round_of(
    missing("a"),
    accepted("b", num_examples=20, norm=1.0, rho=0.65, deviation=0.0, quality=1.0),
    accepted("c", num_examples=30, norm=2.0, rho=1.65, deviation=0.25, quality=1.0),
    accepted("d", num_examples=50, norm=2.0, rho=0.0, deviation=0.0, quality=0.5),
    number=2,
)


def in_order(decision: RoundDecision, name: str) -> list[float]:
    return [getattr(reply, name) for reply in decision.replies]


def test_equation_5_by_hand() -> None:
    # From (4, 4) to (1, 0) it is 5, from (1, -1) to (1, 0) it is 1; colluders are at 0.
    updates = np.array([[1, 0], [1, 0], [4, 4], [1, -1]], np.float32)
    figures, memory = NeighbourRule(PAPER.robustness).measure(
        MatrixRows(updates),
        identities=list("abcd"),
        trust=np.ones(4),
        memory={},
        secret=bytes(16),
    )
    assert [each.rho for each in figures] == pytest.approx([0.0, 0.0, 5.0, 1.0])
    assert [dict(each.extra) for each in figures] == [{}] * 4  # no figure beyond the paper's
    assert memory == {}


def test_equation_3_saturates_as_printed() -> None:
    # sigmoid(500) is 1 to the last bit; sigmoid(1) is 1/(1 + e^-1).
    new, worthless = standing(500.0), standing(1.0)
    assert client_alpha(new, ReputationState(), PAPER) == 1.0
    assert client_alpha(worthless, ReputationState(), PAPER) == pytest.approx(0.7310585786)


def test_the_first_round_by_hand() -> None:
    state, decision = decide(ReputationState(), FIRST, PAPER)
    # Eq. 3: sigmoid(500) = 1. Eq. 6: e^-max(0, rho - 0.65), e^-4.35 and e^-0.35.
    assert in_order(decision, "alpha") == pytest.approx(
        [1.0, 1.0, 0.0129068, 0.7046881], rel=1e-5
    )
    # Eq. 4: (1 - 0.2) 0.9, (1 - 0.5) 0.6, (1 - 0.1) 0.8; nobody has a history yet.
    assert in_order(decision, "beta") == pytest.approx([1.0, 0.72, 0.3, 0.72])
    # Eq. 2: alpha beta n_k / n with n = 100, not normalised: they sum to 0.448.
    assert in_order(decision, "weight") == pytest.approx(
        [0.1, 0.144, 0.00116161, 0.20295017], rel=1e-5
    )
    # Eq. 8: (1 + 1/2 + 1 + 1/2)/4. Eq. 9: (quality + 1 + 1 + 1/2)/4. Eq. 10: (1+1+1+1)/4.
    # Eq. 11: nothing recorded. A lie costs no reputation: all that Eq. 6 does is to alpha.
    assert [each.dimensions for each in decision.replies] == [
        pytest.approx((0.75, 0.875, 1.0, 0.5)),
        pytest.approx((0.75, 0.85, 1.0, 0.5)),
        pytest.approx((0.75, 0.775, 1.0, 0.5)),
        pytest.approx((0.75, 0.825, 1.0, 0.5)),
    ]
    # Eq. 7 with A = 0 before: R = 500 + 1000 * 0.05 * (D - 1/2).
    assert {name: each.scores for name, each in state.standings.items()} == {
        "a": pytest.approx((512.5, 518.75, 525.0, 500.0)),
        "b": pytest.approx((512.5, 517.5, 525.0, 500.0)),
        "c": pytest.approx((512.5, 513.75, 525.0, 500.0)),
        "d": pytest.approx((512.5, 516.25, 525.0, 500.0)),
    }
    # Eq. 12 with v = 1/4: the means of the rows above.
    composites = [each.composite for each in state.standings.values()]
    assert composites == pytest.approx([514.0625, 513.75, 512.8125, 513.4375])
    # Eq. 4's historical performance: 0.9 + 0.1 quality.
    histories = [each.history for each in state.standings.values()]
    assert histories == pytest.approx([1.0, 0.99, 0.96, 0.98])


def test_the_second_round_by_hand() -> None:
    before, _ = decide(ReputationState(), FIRST, PAPER)
    state, decision = decide(before, SECOND, PAPER)
    # Eq. 6: rho = tau costs nothing; e^-1 for c. Eq. 4: history 0.99, 0.96, 0.98 now counts.
    assert in_order(decision, "alpha") == pytest.approx([0.0, 1.0, 0.36787944, 1.0])
    assert in_order(decision, "beta") == pytest.approx([0.0, 0.99, 0.72, 0.49])
    # Eq. 2 with n = 20 + 30 + 50.
    assert in_order(decision, "weight") == pytest.approx([0.0, 0.198, 0.07946196, 0.245])
    # Eq. 10 for b: its norm halved, stability 0.9 + 0.1/2, (1 + 1 + 1 + 0.95)/4 = 0.9875.
    # Eq. 7: A <- 0.95 A + 50 (D - 1/2). For b 0.95 * 12.5 + 12.5, 0.95 * 17.5 + 18.75,
    # 0.95 * 25 + 24.375. For a, which is missing: D = 0 twice, and quality fades to
    # 0.95 * 18.75. The social score has no event and A = 0.
    assert {name: each.scores for name, each in state.standings.items()} == {
        "a": pytest.approx((486.875, 517.8125, 498.75, 500.0)),
        "b": pytest.approx((524.375, 535.375, 548.125, 500.0)),
        "c": pytest.approx((524.375, 531.8125, 548.75, 500.0)),
        "d": pytest.approx((524.375, 527.9375, 548.75, 500.0)),
    }
    composites = [each.composite for each in state.standings.values()]
    assert composites == pytest.approx([500.859375, 526.96875, 526.234375, 525.265625])


@pytest.mark.parametrize(
    ("accepting", "members", "status"),
    [
        (3, 4, RoundStatus.ACCEPTED),  # 0.75 >= 0.67
        (2, 3, RoundStatus.REJECTED),  # 0.6666... < 0.67
        (5, 7, RoundStatus.ACCEPTED),  # 0.714
    ],
)
def test_equations_14_to_16_with_theta_as_printed(
    accepting: int, members: int, status: RoundStatus
) -> None:
    ballots = tuple(
        BallotFacts(
            identity=f"v{k}",
            vote="accept" if k < accepting else "reject",
            loss_rise=-1 if k < accepting else 1,
        )
        for k in range(members)
    )
    facts = replace(honest_round(4), ballots=ballots, candidate_hash="ab")
    _, decision = decide(ReputationState(), facts, PAPER)
    assert decision.status is status


def test_equation_7_forgets_and_nobody_is_ever_excluded() -> None:
    state = ReputationState(standings={"away": standing(0.0)})
    _, decision = decide(state, honest_round(4), PAPER)
    after, _ = decide(state, honest_round(4), PAPER)
    assert after.standings["away"].composite == pytest.approx(25.0)  # 500 - 0.95 * 500
    assert not any(each.excluded for each in decision.replies)


def test_each_mode_is_the_one_it_says() -> None:
    assert trust_config(Mode.ROBUST) == TrustConfig()
    assert trust_config(Mode.INCLUSIVE).robustness.design is Design.RESPONSE
    assert len({dumps(trust_config(mode)) for mode in Mode}) == 3
    for mode in Mode:
        config = trust_config(mode.value)
        assert mode_of(config) is mode
        assert loads(dumps(config), TrustConfig) == config
    gated = replace(PAPER, gate=GateConfig(require_signature=True))
    assert mode_name(gated) == "paper"
    assert mode_name(TrustConfig(quorum=0.9)) == "custom"


def test_a_mode_needs_a_known_name() -> None:
    with pytest.raises(ConfigError, match="mode needs one of the names paper, robust, inc"):
        trust_config("fair")


@pytest.mark.parametrize("mode", Mode)
def test_every_strategy_takes_a_mode(mode: Mode) -> None:
    for strategy in (
        Reputation(FedAvg(), mode=mode, journal=None),
        ReputationFedAvg(mode=mode.value, journal=None),
        ReputationConsensus(FedAvg(), mode=mode, journal=None),
    ):
        assert strategy.config == strategy.book.config == trust_config(mode)
        assert strategy.rule == rule_for(trust_config(mode).robustness)


def test_a_mode_or_a_config_and_not_both() -> None:
    with pytest.raises(ConfigError, match="needs a mode or a config; got both; leave one"):
        ReputationFedAvg(mode="paper", config=TrustConfig(), journal=None)
    assert ReputationFedAvg(mode=None, config=None, journal=None).config == TrustConfig()


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="got 'moed'"):
        ReputationFedAvg(moed="paper")  # type: ignore[call-arg]


def test_options_are_plain_keywords() -> None:
    options = Options(seed=3, journal=None)
    assert Reputation(FedAvg(), **options).seed == 3


@pytest.mark.parametrize("mode", Mode)
def test_the_journal_names_the_mode(mode: Mode) -> None:
    journal = ListJournal()
    run(ReputationFedAvg(mode=mode, seed=1, journal=journal), rounds=1)
    assert journal.headers[0].environment["mode"] == mode.value


def test_an_app_chooses_its_mode_in_its_run_configuration(tmp_path: Path) -> None:
    outcome = run_app(
        JUDGED,
        engine=Engine.INPROCESS,
        folder=RunFolder(tmp_path / "run"),
        num_clients=5,
        run_config_overrides=["mode='paper'"],
    )
    assert outcome.completed, outcome.reason
    folder = outcome.journal
    assert folder is not None
    header = open_journal(folder).header()
    assert header is not None
    assert loads(dumps(header.config), TrustConfig) == PAPER
    assert summarise(folder)["mode"] == "paper"
    page = write_report(folder, verification=None).read_text(encoding="utf-8")
    assert ">mode<" in page
