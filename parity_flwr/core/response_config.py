"""Constants of the response design: who counts, which figures accuse, and from where on.

A pair (low, high) is a zone: no doubt on its harmless side, none left on the other, straight
in between. The paper has none of these; all are *decided*, measured on the comparison grid.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from parity_flwr.core.ranges import require_range, require_zone

Zone = tuple[float, float]

_LARGEST = 1e6


@dataclass(frozen=True, kw_only=True)
class ResponseConfig:
    """How the response design measures and judges (``Design.RESPONSE``)."""

    idle_share: float = 0.2  # an update shorter than this share of the median is no work
    trusted: float = 0.5  # a voter has at least this share of the largest alpha
    balanced: float = 0.3  # and numbers that are less one-sided than this
    agreement: float = 0.05  # voters who agree by less than this show no direction
    direction_decay: float = 0.98
    authority: float = 0.015  # evidence on the common direction at which it is believed fully
    response_decay: float = 0.95
    response_rounds: int = 3  # answers to the model's step before they count
    service_decay: float = 0.95  # a step counts this much less than the one before it
    service_rounds: int = 5  # steps of the model before its service counts
    echo: Zone = (0.1, 0.2)  # excess cosine of two clients' noise that makes them one
    echo_spreads: float = 4.0  # and at least so many spreads of the honest cosines
    contradiction: Zone = (0.1, 0.3)  # cosine with the client's own mean
    turning: Zone = (-0.2, 0.0)  # cosine with the client's own direction memory
    balance: Zone = (0.2, 0.4)  # one-sidedness
    leeway: float = 0.2  # so much more of it while no common direction is known
    common: Zone = (-0.12, -0.06)  # cosine of a client's noise with the others'
    apart: Zone = (3.0, 5.0)  # and by so many spreads less than usual
    loud: Zone = (5.0, 8.0)  # norm in medians
    response: Zone = (0.02, 0.06)  # cosine of a change with the model's step before it
    answered: Zone = (0.25, 0.75)  # spreads by which the median answer opposes the step
    opposed: Zone = (0.2, 0.3)  # -cosine of a direction memory with the others'
    unserved: Zone = (-0.1, 0.05)  # what the model did for a client, over the median client
    urgent: Zone = (1.1, 1.3)  # mean norm in medians, over which who is not served accuses
    growing: Zone = (1.1, 1.3)  # the same, over what it was at the outset
    common_cause: Zone = (0.1, 0.15)  # median cosine of updates with steps that is believed
    unsupported: Zone = (0.03, 0.1)  # cosine below which an outlier has no support
    outliers: Zone = (1.0, 1.5)  # clients that the lack of support may accuse at once
    opponents: Zone = (0.3, 0.35)  # share of the sound that opposition may accuse at once
    spared_soundness: float = 0.85  # what more than that many opponents keep
    spared_penalty: float = 0.6
    rooted: Zone = (-0.2, -0.1)  # cosine with the server's own updates, where there are any
    reach: float = 2.0  # farther than so many medians from the centre is pulled to it

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, tuple):
                require_zone(each.name, value)
            else:
                require_range(each.name, value, 0.0, _LARGEST)
        for name in (
            "direction_decay",
            "response_decay",
            "service_decay",
            "spared_soundness",
            "spared_penalty",
        ):
            require_range(name, getattr(self, name), 0.0, 1.0)
        for name in ("authority", "reach"):
            require_range(name, getattr(self, name), 1e-9, _LARGEST)
