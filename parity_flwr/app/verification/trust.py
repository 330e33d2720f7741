"""What somebody who verifies trusts already, and whether the run leads to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from parity_flwr.app.verification.checks import Line
from parity_flwr.core.content.cid import Cid
from parity_flwr.errors import ConfigError

NAME = "trust anchor"
NOT_ANCHORED = "self-consistent, not anchored"

_ROOT = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True)
class Trust:
    """A root (a bundle's or a journal's hash), the CID of a published round, or an address.

    Parameters
    ----------
    value : str
        64 hex digits, a CID, or "0x" and 40 hex digits; build one with :meth:`parse`.
    """

    value: str

    @classmethod
    def parse(cls, text: str) -> Trust:
        """Return what a text names.

        Raises
        ------
        ConfigError
            It names nothing that can be trusted.

        Examples
        --------
        >>> Trust.parse("0x" + "AB" * 32).value == "ab" * 32
        True
        """
        root = _ROOT.fullmatch(text)
        if root is not None:
            return cls(root[1].lower())
        if _ADDRESS.fullmatch(text):
            return cls(text)
        try:
            return cls(str(Cid.parse(text)))
        except ConfigError:
            raise ConfigError(
                "--trust needs a root (64 hex digits), a CID, or an address (0x and 40 digits)",
                came=ascii(text)[:80],
                action="copy it again from where it was anchored",
            ) from None

    @property
    def is_address(self) -> bool:
        """Whether a chain has to be asked."""
        return _ADDRESS.fullmatch(self.value) is not None


def trust_lines(trust: Trust | None, roots: Mapping[str, str]) -> tuple[Line, ...]:
    """Return the line that compares a trusted root with those that were found.

    Parameters
    ----------
    trust : Trust or None
        Nothing to compare gives no line.
    roots : mapping of str to str
        What was found, by name.

    Raises
    ------
    ConfigError
        An address is trusted, which is no root: a chain has to say what it recorded.
    """
    if trust is None:
        return ()
    require_offline(trust)
    for name, found in roots.items():
        if found == trust.value:
            return (Line(NAME, True, f"{name} is the trusted {trust.value[:16]}"),)
    others = ", ".join(f"{name} is {found[:16] or 'none'}" for name, found in roots.items())
    return (Line(NAME, False, f"{trust.value[:16]} is trusted, {others}"),)


def require_offline(trust: Trust) -> None:
    """Raise :class:`ConfigError` for an address: nothing here can ask a chain."""
    if trust.is_address:
        raise ConfigError(
            "trusting an address needs a chain that says what it recorded",
            came=f"{trust.value} without one",
            action="pass a root or a CID that was anchored",
        )
