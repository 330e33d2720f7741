"""Every combination has a guarantee or a refusal; the page prints what the code says."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from parity_flwr.core.privacy.combinations import (
    REFUSALS,
    Combination,
    Hiding,
    NoisePlace,
    Rule,
    check_combination,
    guarantee_table,
    refusal_table,
)
from parity_flwr.core.privacy.presets import Level, ModelKind, preset
from parity_flwr.errors import ConfigError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "privacy.md"
FLAGS = (False, True)
ALL = [
    Combination(
        rule=rule,
        hiding=hiding,
        dp=dp,
        reputation=reputation,
        subgroups=subgroups,
        client_metrics=metrics,
    )
    for rule, hiding, dp in itertools.product(Rule, Hiding, NoisePlace)
    for reputation, subgroups, metrics in itertools.product(FLAGS, FLAGS, FLAGS)
]


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_every_combination_has_a_guarantee_or_a_reason(combination: Combination) -> None:
    applying = [each for each in REFUSALS if each.applies(combination)]
    if not applying:
        said = check_combination(combination)
        assert "server sees" in said
        assert ("epsilon" in said) == (combination.dp is not NoisePlace.NONE)
        return
    with pytest.raises(ConfigError) as caught:
        check_combination(combination)
    assert applying[0].reason in str(caught.value)
    assert caught.value.action == f"use {applying[0].nearest}"


def test_no_refusal_is_idle() -> None:
    for refusal in REFUSALS:
        alone = [each for each in ALL if [r for r in REFUSALS if r.applies(each)] == [refusal]]
        assert alone, refusal.name


@pytest.mark.parametrize(
    "combination",
    [
        Combination(rule=Rule.ROBUST, hiding=Hiding.SECAGG),
        Combination(rule=Rule.ROBUST, hiding=Hiding.HE),
        Combination(rule=Rule.ROBUST, dp=NoisePlace.CENTRAL),
        Combination(reputation=True, dp=NoisePlace.CENTRAL),
        Combination(client_metrics=True, dp=NoisePlace.CENTRAL),
        Combination(hiding=Hiding.SECAGG, dp=NoisePlace.CENTRAL),
    ],
    ids=str,
)
def test_what_must_not_be_is_refused(combination: Combination) -> None:
    with pytest.raises(ConfigError, match="cannot hold"):
        check_combination(combination)


@pytest.mark.parametrize(
    "combination",
    [
        Combination(),
        Combination(rule=Rule.ROBUST, reputation=True, client_metrics=True),
        Combination(dp=NoisePlace.CENTRAL),
        Combination(dp=NoisePlace.LOCAL, rule=Rule.ROBUST, reputation=True),
        Combination(dp=NoisePlace.EXAMPLE, hiding=Hiding.SECAGG, client_metrics=True),
        Combination(hiding=Hiding.SECAGG, subgroups=True, rule=Rule.ROBUST, reputation=True),
        Combination(hiding=Hiding.HE, dp=NoisePlace.LOCAL),
    ],
    ids=str,
)
def test_what_can_be_is_allowed(combination: Combination) -> None:
    assert check_combination(combination)


@pytest.mark.repository
@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")
@pytest.mark.parametrize("table", [refusal_table(), guarantee_table()])
def test_the_page_prints_the_tables(table: str) -> None:
    assert table in PAGE.read_text(encoding="utf-8")


@pytest.mark.repository
@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")
@pytest.mark.parametrize("level", [Level.LOW, Level.MEDIUM, Level.HIGH])
def test_the_page_prints_the_presets(level: Level) -> None:
    chosen = preset(level, examples=1000)
    row = f"| `{level}` | {chosen.epsilon:g} | {chosen.delta:g} | {chosen.clip:g} |"
    assert row in PAGE.read_text(encoding="utf-8")


def test_presets_are_exact_and_take_the_users_numbers() -> None:
    high = preset(Level.HIGH, examples=500)
    assert (high.epsilon, high.delta, high.hiding) == (1.0, 1e-5, Hiding.SECAGG)
    assert high.budget is not None
    assert preset(Level.LOW, examples=100_000).delta == pytest.approx(1e-6)
    own = preset(Level.LOW, examples=500, epsilon=2.5, delta=1e-4, clip=0.3)
    assert (own.epsilon, own.delta, own.clip) == (2.5, 1e-4, 0.3)
    for kind in ModelKind:
        said = high.meaning(kind)
        assert "epsilon 1, delta 1e-05" in said
        assert "sums of updates only" in said
    assert preset(Level.OFF, examples=1).budget is None


@pytest.mark.parametrize(
    ("level", "changes"),
    [
        (Level.OFF, {"epsilon": 1.0}),
        (Level.OFF, {"delta": 1e-5}),
        (Level.OFF, {"epsilon": 0.0}),
        (Level.OFF, {"clip": 1.0}),
        (Level.LOW, {"epsilon": 0.0}),
        (Level.LOW, {"epsilon": float("nan")}),
        (Level.LOW, {"delta": 0.01}),
        (Level.LOW, {"delta": 0.0}),
        (Level.LOW, {"clip": float("inf")}),
    ],
)
def test_presets_refuse_what_promises_nothing(level: Level, changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        preset(level, examples=500, **changes)
