"""Flower's own privacy parts, which do not go together with ours: why, and what does.

They are told by name, so that nothing of Flower is imported here. ``docs/privacy.md`` prints
:func:`foreign_table`; a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parity_flwr.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ForeignPart:
    """One part of Flower: its name, why it is refused, and the nearest thing that can.

    Parameters
    ----------
    name : str
        A class or function of the package ``flwr``.
    reason, nearest : str
        What an error says.
    """

    name: str
    reason: str
    nearest: str


_UNACCOUNTED = (
    "its noise is fixed for equal weights of all sampled clients and comes from a predictable "
    "generator; weights here depend on replies, and no ledger is charged"
)
_OWN_CENTRAL = "DPFedAvg(CentralPrivacy(...), inner=...)"
_CLIPPING_ALONE = (
    "it clips for a DP wrapper that is refused here, and stops a run whose client sends no "
    "change (division by the norm)"
)
_BROKEN_MASKS = (
    "it needs Flower's legacy messages, and its masks can be computed by the server "
    "(flwrlabs/flower#7522)"
)
_OWN_MASKS = "SecAggMod(signer) with SecureAggregation"

FOREIGN_PARTS: tuple[ForeignPart, ...] = (
    *(
        ForeignPart(
            name=f"DifferentialPrivacy{side}Side{clipping}Clipping",
            reason=_UNACCOUNTED,
            nearest=_OWN_CENTRAL,
        )
        for side in ("Server", "Client")
        for clipping in ("Fixed", "Adaptive")
    ),
    ForeignPart(
        name="LocalDpMod",
        reason="it takes any sensitivity, epsilon 0 and delta 1, its formula holds for epsilon "
        "below 1 only, it counts no rounds, and its noise is predictable",
        nearest="parity_flwr.clients.LocalDPMod(LocalPrivacy(...))",
    ),
    ForeignPart(name="fixedclipping_mod", reason=_CLIPPING_ALONE, nearest=_OWN_CENTRAL),
    ForeignPart(name="adaptiveclipping_mod", reason=_CLIPPING_ALONE, nearest=_OWN_CENTRAL),
    ForeignPart(name="secagg_mod", reason=_BROKEN_MASKS, nearest=_OWN_MASKS),
    ForeignPart(name="secaggplus_mod", reason=_BROKEN_MASKS, nearest=_OWN_MASKS),
)
"""Everything of Flower's that is refused inside, and around, what is ours."""

_BY_NAME = {each.name: each for each in FOREIGN_PARTS}


def foreign_part(thing: object) -> ForeignPart | None:
    """Return which of Flower's parts an object is, or is made from; None for none.

    Parameters
    ----------
    thing : object
        An instance (its classes are looked at), a function, or a ``functools.partial``.

    Examples
    --------
    >>> foreign_part("anything else") is None
    True
    """
    inside: Any = getattr(thing, "func", None)  # functools.partial
    if inside is not None:
        return foreign_part(inside)
    named = [thing] if hasattr(thing, "__qualname__") else list(type(thing).__mro__)
    for each in named:
        ours = str(getattr(each, "__module__", "")).partition(".")[0] == "flwr"
        if ours and each.__name__ in _BY_NAME:  # type: ignore[attr-defined]
            return _BY_NAME[each.__name__]  # type: ignore[attr-defined]
    return None


def refuse_foreign(thing: object, *, beside: str) -> None:
    """Check that an object is none of Flower's privacy parts.

    Parameters
    ----------
    thing : object
        What is put inside, or around, something of ours.
    beside : str
        What of ours that is, for the message.

    Raises
    ------
    ConfigError
        If it is one; with the reason and the nearest thing that can.
    """
    part = foreign_part(thing)
    if part is not None:
        raise ConfigError(
            f"Flower's {part.name} cannot hold beside {beside}: {part.reason}",
            came=part.name,
            action=f"use {part.nearest}",
        )


def foreign_table() -> str:
    """Return the parts as a Markdown table."""
    lines = ["| Flower's | because | nearest that can |", "|---|---|---|"]
    lines += [f"| `{each.name}` | {each.reason} | `{each.nearest}` |" for each in FOREIGN_PARTS]
    return "\n".join(lines) + "\n"
