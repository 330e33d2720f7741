"""The ledger: charged once, never over the budget, the same after a trip through JSON."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.privacy.accounting import Accountant, Mechanism
from parity_flwr.core.privacy.ledger import EVERYONE, Budget, Charge, Ledger, Unit
from parity_flwr.core.privacy.sensitivity import Relation
from parity_flwr.errors import BudgetError, ConfigError, JournalError

LEDGER = Ledger(budget=Budget(epsilon=3.0, delta=1e-5))
CHARGE = Charge(run="r", round=1, noise_multiplier=4.0)


def test_a_charge_counts_once_however_often_it_is_made() -> None:
    once = LEDGER.charged(CHARGE)
    assert once.charged(CHARGE) is once
    assert len(once.charged(replace(CHARGE, round=2)).charges) == 2
    assert len(once.charged(replace(CHARGE, release=1)).charges) == 2


def test_a_charge_that_changes_its_numbers_is_refused() -> None:
    with pytest.raises(JournalError, match="numbers it was charged with"):
        LEDGER.charged(CHARGE).charged(replace(CHARGE, noise_multiplier=5.0))


def test_the_charge_that_would_exceed_the_budget_is_refused_and_leaves_no_trace() -> None:
    ledger = LEDGER
    for round_ in range(1, 1 + LEDGER.affordable(CHARGE, most=100)):
        ledger = ledger.charged(replace(CHARGE, round=round_))
    with pytest.raises(BudgetError, match="epsilon 3 at delta 1e-05"):
        ledger.charged(replace(CHARGE, round=100))
    assert 2.5 < ledger.spent() <= 3.0
    assert 3 < len(ledger.charges) < 50
    assert ledger.affordable(CHARGE, most=100) == 0
    assert ledger.remaining() == pytest.approx(3.0 - ledger.spent())


def test_clients_have_budgets_of_their_own() -> None:
    ledger = LEDGER.charged(replace(CHARGE, client="a", noise_multiplier=2.0))
    ledger = ledger.charged(replace(CHARGE, client="b"))
    ledger = ledger.charged(replace(CHARGE, round=2))
    assert ledger.clients() == ("a", "b")
    assert ledger.spent(client="a") > ledger.spent(client="b") > ledger.spent(client="c") > 0
    assert ledger.spent() == ledger.spent(client=EVERYONE) == ledger.spent(client="a")
    expensive = replace(CHARGE, round=3, noise_multiplier=1.7)
    with pytest.raises(BudgetError):
        ledger.charged(replace(expensive, client="a"))
    with pytest.raises(BudgetError):  # what concerns everyone concerns a
        ledger.charged(expensive)
    assert ledger.charged(replace(expensive, client="c")).spent(client="c") <= 3.0


def test_units_and_relations_do_not_mix() -> None:
    for other in (
        replace(CHARGE, unit=Unit.EXAMPLE),
        replace(CHARGE, relation=Relation.REPLACE_ONE),
    ):
        with pytest.raises(ConfigError, match="one ledger for each unit"):
            LEDGER.charged(other)


def test_replace_one_is_not_amplified() -> None:
    with pytest.raises(ConfigError, match="add-or-remove"):
        replace(CHARGE, relation=Relation.REPLACE_ONE, sampling=0.5)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_numbers_that_promise_nothing_are_refused(bad: float) -> None:
    for make in (
        lambda: Budget(epsilon=bad, delta=1e-5),
        lambda: Budget(epsilon=1.0, delta=bad),
        lambda: replace(CHARGE, noise_multiplier=bad),
        lambda: replace(CHARGE, sampling=bad),
    ):
        with pytest.raises(ConfigError):
            make()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 9),
            st.sampled_from(["a", "b", EVERYONE]),
            st.sampled_from(list(Mechanism)),
            st.floats(5, 1e6),
        ),
        max_size=6,
    )
)
def test_a_ledger_survives_its_canonical_form(
    parts: list[tuple[int, str, Mechanism, float]],
) -> None:
    charges = {
        (round_, client, kind): Charge(
            run="r", round=round_, client=client, mechanism=kind, noise_multiplier=z
        )
        for round_, client, kind, z in parts
    }
    ledger = replace(LEDGER, charges=tuple(charges.values()))
    assert loads(dumps(ledger), Ledger) == ledger


def test_rdp_is_there_as_the_check() -> None:
    pytest.importorskip("dp_accounting")
    ledger = LEDGER.charged(CHARGE)
    assert ledger.spent() < ledger.spent(accountant=Accountant.RDP)
