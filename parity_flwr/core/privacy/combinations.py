"""Which protections go together: each combination has a stated guarantee, or a refusal.

``docs/privacy.md`` prints :func:`refusal_table` and :func:`guarantee_table`; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from parity_flwr.errors import ConfigError


class Rule(StrEnum):
    """What the server computes from the updates."""

    AVERAGE = "average"  # a sum with weights that do not depend on this round's updates
    ROBUST = "robust"  # a median, Krum, P-5: it compares single updates


class Hiding(StrEnum):
    """What the server sees of an update."""

    NONE = "plain"
    SECAGG = "secagg"  # masked: sums only
    HE = "he"  # encrypted under a key that the clients share


class NoisePlace(StrEnum):
    """Where differential privacy's noise is added."""

    NONE = "none"
    CENTRAL = "central"  # by the server, to the sum of clipped updates
    LOCAL = "local"  # by the client, to its whole update
    EXAMPLE = "example"  # by the client, in every training step (DP-SGD and its kin)


@dataclass(frozen=True, kw_only=True)
class Combination:
    """What a run is made of.

    Parameters
    ----------
    rule, hiding, dp
        See the enumerations.
    reputation : bool
        Whether scores of single updates, or of clients' data, choose or weigh clients. What
        is known without them (attendance, stake, a person's judgement) needs no permission.
    subgroups : bool
        Whether sums are taken in random subgroups, so that rule and reputation see the
        subgroups' means.
    client_metrics : bool
        Whether clients report training metrics or evaluate on their own data.
    """

    rule: Rule = Rule.AVERAGE
    hiding: Hiding = Hiding.NONE
    dp: NoisePlace = NoisePlace.NONE
    reputation: bool = False
    subgroups: bool = False
    client_metrics: bool = False

    def __str__(self) -> str:
        parts = [f"rule={self.rule}", f"hiding={self.hiding}", f"dp={self.dp}"]
        flags = ("reputation", "subgroups", "client_metrics")
        return ", ".join(parts + [name for name in flags if getattr(self, name)])


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One thing that cannot be: which, why, and the nearest thing that can."""

    name: str
    applies: Callable[[Combination], bool]
    reason: str
    nearest: str


def _compares(c: Combination) -> bool:
    return c.rule is Rule.ROBUST or c.reputation


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        name="subgroups without secure aggregation",
        applies=lambda c: c.subgroups and c.hiding is not Hiding.SECAGG,
        reason="subgroup sums hide an update only where the server sees nothing else",
        nearest="hiding=secagg",
    ),
    Refusal(
        name="central DP with secure aggregation or HE",
        applies=lambda c: c.dp is NoisePlace.CENTRAL and c.hiding is not Hiding.NONE,
        reason="the server cannot clip what it cannot see, so the sensitivity has no bound",
        nearest="dp=local or dp=example, whose noise is in the update before it is hidden",
    ),
    Refusal(
        name="central DP with a robust rule",
        applies=lambda c: c.dp is NoisePlace.CENTRAL and c.rule is Rule.ROBUST,
        reason="its weights depend on the updates without noise: one client moves the whole "
        "aggregate by 2 * clip, and noise for that drowns it",
        nearest="rule=average (clipping bounds every client's influence), or dp=local",
    ),
    Refusal(
        name="central DP with reputation",
        applies=lambda c: c.dp is NoisePlace.CENTRAL and c.reputation,
        reason="scores from updates without noise would choose or weigh later rounds and be "
        "published, outside the ledger",
        nearest="dp=local (scores of noisy updates are safe), or bans by hand",
    ),
    Refusal(
        name="central DP with client metrics",
        applies=lambda c: c.dp is NoisePlace.CENTRAL and c.client_metrics,
        reason="a client's metrics come from its data without noise, and the client is the "
        "unit of protection",
        nearest="evaluate_fn on the server's own or public data",
    ),
    Refusal(
        name="local DP with client metrics",
        applies=lambda c: c.dp is NoisePlace.LOCAL and c.client_metrics,
        reason="a client's metrics come from its data without noise, and the client is the "
        "unit of protection",
        nearest="evaluate_fn on the server's own or public data, or dp=example with "
        "evaluation on held-out examples",
    ),
    Refusal(
        name="a robust rule or reputation over HE",
        applies=lambda c: c.hiding is Hiding.HE and _compares(c),
        reason="the server holds ciphertexts and cannot compare them",
        nearest="hiding=secagg with subgroups, where it sees the subgroups' means",
    ),
    Refusal(
        name="a robust rule or reputation over secure aggregation",
        applies=lambda c: c.hiding is Hiding.SECAGG and _compares(c) and not c.subgroups,
        reason="the server sees one sum, and no single update",
        nearest="subgroups=True, where it sees the subgroups' means",
    ),
)
"""Everything that is refused; the first that applies is named."""

_HIDING = {
    Hiding.NONE: "the server sees every update",
    Hiding.SECAGG: "the server sees sums only, as long as it does not collude with all other "
    "clients of a sum or fall below the minimum of survivors",
    Hiding.HE: "the server sees ciphertexts; it must not collude with any client, because all "
    "of them hold the key",
}

_NOISE = {
    NoisePlace.NONE: "no differential privacy: the model and its sums may reveal any client",
    NoisePlace.CENTRAL: "(epsilon, delta) for each client (add or remove) against whoever sees "
    "the models, the server excepted",
    NoisePlace.LOCAL: "(epsilon, delta) for each client's whole update against everybody, the "
    "server included",
    NoisePlace.EXAMPLE: "(epsilon, delta) for each training example of a client against "
    "everybody else, the server included",
}


def check_combination(combination: Combination) -> str:
    """Return what the combination guarantees, in one sentence for each protection.

    Raises
    ------
    ConfigError
        If it cannot hold; with the reason and the nearest combination that can.

    Examples
    --------
    >>> check_combination(Combination(dp=NoisePlace.CENTRAL)).partition(";")[0]
    'the server sees every update'
    >>> check_combination(Combination(rule=Rule.ROBUST, hiding=Hiding.HE))
    Traceback (most recent call last):
    ...
    parity_flwr.errors.ConfigError: a robust rule or reputation over HE cannot hold: ...
    """
    for refusal in REFUSALS:
        if refusal.applies(combination):
            raise ConfigError(
                f"{refusal.name} cannot hold: {refusal.reason}",
                came=str(combination),
                action=f"use {refusal.nearest}",
            )
    said = [_HIDING[combination.hiding], _NOISE[combination.dp]]
    if combination.subgroups:
        said.append("what is hidden is hidden within a subgroup: its mean is seen")
    if combination.client_metrics:
        said.append("what clients report as metrics is not covered")
    return "; ".join(said)


def refusal_table() -> str:
    """Return what is refused as a Markdown table."""
    lines = ["| refused | because | nearest that can |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.reason} | {each.nearest} |" for each in REFUSALS]
    return "\n".join(lines) + "\n"


def guarantee_table() -> str:
    """Return what works without metrics as a Markdown table, one row for each guarantee."""
    columns = ("plain", "secagg", "secagg, subgroups", "he")
    lines = [
        "| rule and DP | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for dp in NoisePlace:
        for rule, reputation, name in (
            (Rule.AVERAGE, False, "average"),
            (Rule.ROBUST, False, "robust rule"),
            (Rule.AVERAGE, True, "reputation"),
        ):
            cells = [_cell(rule, dp, reputation, column) for column in columns]
            lines.append(f"| {name}, dp={dp} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(rule: Rule, dp: NoisePlace, reputation: bool, column: str) -> str:
    hiding, _, subgroups = column.partition(", ")
    combination = Combination(
        rule=rule,
        hiding=Hiding(hiding),
        dp=dp,
        reputation=reputation,
        subgroups=bool(subgroups),
    )
    refused = any(each.applies(combination) for each in REFUSALS)
    return "refused" if refused else "works"
