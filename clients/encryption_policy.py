"""What a client agrees to in an encrypted round, whatever the server asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from parity_flwr.core.encryption.terms import Reveal, Terms
from parity_flwr.errors import ConfigError


class OutOfRange(StrEnum):
    """What happens to an update with a number outside [-clip, clip]."""

    REFUSE = "refuse"  # the client leaves the round
    CLIP = "clip"  # the number is cut to the range, and counted in the metrics


@dataclass(frozen=True, kw_only=True)
class EncryptionPolicy:
    """What this client agrees to, whatever the server asks for.

    Parameters
    ----------
    reveal : Reveal
        The most that the server may learn.
    minimum : int
        No sum of fewer updates is opened; at least 2.
    clear : tuple of str
        Patterns of arrays that may travel unencrypted (selective encryption); none by
        default. A server that asks for others is refused.
    out_of_range : OutOfRange
        What to do with numbers outside the announced range.
    share_metrics : bool
        Whether metrics other than the number of examples leave the client, in clear.
    """

    reveal: Reveal = Reveal.AGGREGATE
    minimum: int = 3
    clear: tuple[str, ...] = ()
    out_of_range: OutOfRange = OutOfRange.REFUSE
    share_metrics: bool = False

    def __post_init__(self) -> None:
        if type(self.minimum) is not int or self.minimum < 2:
            raise ConfigError(
                "minimum needs 2 updates at least: one is nobody's sum",
                came=repr(self.minimum),
                action="raise it",
            )

    def check(self, terms: Terms) -> Terms:
        """Return the terms if this client agrees to them; ConfigError if not."""
        if self.reveal is Reveal.NOTHING and terms.reveal is not Reveal.NOTHING:
            raise disagreement("reveals nothing to the server", terms.reveal.value)
        if not set(terms.clear) <= set(self.clear):
            raise disagreement("sends only its own choice of arrays in clear", "other patterns")
        return terms


def disagreement(needed: str, came: str) -> ConfigError:
    """Return the error of a client that does not take part on these terms."""
    return ConfigError(
        f"this client {needed}", came=came, action="change the strategy or the policy"
    )
