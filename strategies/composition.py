"""What a strategy and those inside it are together, and whether that can be.

Every strategy of ours says what it is itself (``combination``); Flower's are told by name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import ClassVar, Protocol, runtime_checkable

from flwr.serverapp.strategy import Strategy

from parity_flwr.core.privacy.combinations import (
    Combination,
    Hiding,
    NoisePlace,
    Rule,
    check_combination,
)
from parity_flwr.core.privacy.foreign import refuse_foreign
from parity_flwr.errors import ConfigError

_ROBUST = frozenset({"Bulyan", "FedMedian", "FedTrimmedAvg", "Krum", "MultiKrum", "QFedAvg"})
"""Flower's strategies whose weights depend on the updates or on what clients report."""

_DEEPEST = 50  # frames between Flower's loop and ours; there are three


@runtime_checkable
class Combining(Protocol):
    """A strategy that says what it is by itself."""

    combination: ClassVar[Combination]


def inside(strategy: Strategy) -> Iterator[Strategy]:
    """Yield a strategy and all that it holds as attributes, itself first."""
    yield strategy
    for each in vars(strategy).values():
        if isinstance(each, Strategy):
            yield from inside(each)


def guarantee_of(strategy: Strategy) -> str:
    """Return what a strategy and all inside it guarantee, in a sentence for each protection.

    What clients do on their side (local or example-level DP) comes on top; it is not seen
    from here.

    Raises
    ------
    ConfigError
        If the combination cannot hold; with the reason and the nearest thing that can.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAvg
    >>> guarantee_of(FedAvg()).partition(";")[0]
    'the server sees every update'
    """
    outer, *parts = inside(strategy)
    own = combination_of(outer)
    if isinstance(outer, Combining):
        asked = getattr(getattr(outer, "sampling", None), "fraction_evaluate", 0.0)
        own = replace(own, client_metrics=asked > 0)
    else:
        refuse_foreign(outer, beside="strategies of ours")
    return _checked(own, parts, name=type(strategy).__name__)


def combination_of(strategy: Strategy) -> Combination:
    """Return what one strategy is, without what it holds."""
    if isinstance(strategy, Combining):
        return strategy.combination
    names = {each.__name__ for each in type(strategy).__mro__}
    return Combination(rule=Rule.ROBUST if names & _ROBUST else Rule.AVERAGE)


def check_inside(outer: Combination, inner: Strategy, *, name: str) -> None:
    """Check that a strategy of ours can hold another, before it does.

    Parameters
    ----------
    outer : Combination
        What ours is.
    inner : Strategy
        What it is to hold.
    name : str
        What ours is called.

    Raises
    ------
    ConfigError
        If the two cannot be together.
    """
    _checked(outer, list(inside(inner)), name=name)


def refuse_foreign_around(strategy: Strategy) -> None:
    """Check that none of Flower's privacy wrappers drives a strategy of ours.

    A wrapper takes any strategy and tells it nothing, so its frame on the stack is the only
    trace before a message leaves.

    Raises
    ------
    ConfigError
        If one does.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEEPEST):
        if frame is None:
            return
        driving = frame.f_locals.get("self")
        if isinstance(driving, Strategy) and driving is not strategy:
            refuse_foreign(driving, beside=f"a {type(strategy).__name__} inside it")
        frame = frame.f_back


def _checked(outer: Combination, parts: list[Strategy], *, name: str) -> str:
    for each in parts:
        refuse_foreign(each, beside=name)
    together = [outer, *map(combination_of, parts)]
    _require_once("central DP", [each.dp is NoisePlace.CENTRAL for each in together])
    _require_once("hiding updates", [each.hiding is not Hiding.NONE for each in together])
    _require_once("reputation", [each.reputation for each in together])
    return check_combination(_together(together))


def _require_once(what: str, found: list[bool]) -> None:
    if sum(found) > 1:
        raise ConfigError(
            f"{what} needs one strategy that does it",
            came=f"{sum(found)}, one inside the other",
            action="leave the inner one out: use FedAvg or a server optimiser inside",
        )


def _together(parts: list[Combination]) -> Combination:
    whole = parts[0]
    for each in parts[1:]:
        whole = replace(
            whole,
            rule=Rule.ROBUST if Rule.ROBUST in (whole.rule, each.rule) else Rule.AVERAGE,
            hiding=each.hiding if whole.hiding is Hiding.NONE else whole.hiding,
            dp=each.dp if whole.dp is NoisePlace.NONE else whole.dp,
            reputation=whole.reputation or each.reputation,
            subgroups=whole.subgroups or each.subgroups,
            client_metrics=whole.client_metrics or each.client_metrics,
        )
    return whole
