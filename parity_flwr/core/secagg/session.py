"""What everybody in one secure sum must agree on, and the numbers that follow from it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from parity_flwr.core.integrity import integer_bytes, length_prefixed, text_bytes
from parity_flwr.core.secagg.quantise import MOST_ADDENDS, Quantiser
from parity_flwr.errors import ConfigError

NONCE_BYTES: Final = 16
LEAST_PARTICIPANTS: Final = 3
MOST_LENGTH: Final = 1 << 30
_DOMAIN: Final = b"parity-flwr/secagg/session/v1"


def quorum(participants: int) -> int:
    """Return more than two thirds of a number.

    So many holders give a secret back, and so many participants must confirm who survived:
    2q > n + c for up to a third c of colluders, so that a server which tells two stories
    never gets enough answers to both (Bonawitz et al. 2017, section 6.2).

    Examples
    --------
    >>> [quorum(n) for n in (3, 4, 10, 100)]
    [3, 3, 7, 67]
    """
    return 2 * participants // 3 + 1


@dataclass(frozen=True, kw_only=True)
class Session:
    """One secure sum as the server announces it; every key and signature binds its digest.

    Parameters
    ----------
    run_id, round
        Of the run.
    nonce : bytes
        16 random bytes, so that no two sessions are alike.
    base_hash : str
        SHA-256 of the model that will be sent, hex: all train on the same one.
    config_hash : str
        SHA-256 of the training configuration, hex.
    length : int
        Words in a masked vector.
    addends : int
        Most participants; fixes the scale (:class:`Quantiser`).
    clipping_range : float
        C of the quantisation.
    weight_cap : int
        An update counts min(n_k, cap)/cap; 0 = all updates count alike.
    degree : int
        Neighbours of each participant; 0 = everybody.
    """

    run_id: str
    round: int
    nonce: bytes
    base_hash: str
    config_hash: str
    length: int
    addends: int
    clipping_range: float
    weight_cap: int = 0
    degree: int = 0

    def __post_init__(self) -> None:
        _require(type(self.nonce) is bytes and len(self.nonce) == NONCE_BYTES, "nonce")
        for name in ("run_id", "base_hash", "config_hash"):
            text = getattr(self, name)
            _require(type(text) is str and len(text) <= 256, name)
        _require_integer(self.round, 0, 2**53, "round")
        _require_integer(self.length, 1, MOST_LENGTH, "length")
        _require_integer(self.addends, LEAST_PARTICIPANTS, MOST_ADDENDS, "addends")
        _require_integer(self.weight_cap, 0, 2**53, "weight_cap")
        _require_integer(self.degree, 0, MOST_ADDENDS, "degree")
        _require(type(self.clipping_range) is float, "clipping_range")
        _require(math.isfinite(self.clipping_range), "clipping_range")
        _ = self.quantiser  # refuses a range out of bounds

    @property
    def quantiser(self) -> Quantiser:
        """The fixed point of this session."""
        return Quantiser(clipping_range=self.clipping_range, addends=self.addends)

    @property
    def digest(self) -> bytes:
        """SHA-256 over every field, 32 bytes."""
        return hashlib.sha256(
            length_prefixed(
                _DOMAIN,
                text_bytes(self.run_id, name="run_id"),
                integer_bytes(self.round, name="round"),
                self.nonce,
                text_bytes(self.base_hash, name="base_hash"),
                text_bytes(self.config_hash, name="config_hash"),
                *(
                    integer_bytes(getattr(self, name), name=name)
                    for name in ("length", "addends", "weight_cap", "degree")
                ),
                self.clipping_range.hex().encode(),
            )
        ).digest()

    def to_record(self) -> dict[str, Any]:
        """Return the fields as plain values for a message."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Session:
        """Read a session from a message; ConfigError for anything malformed."""
        names = [each.name for each in fields(cls)]
        missing = [name for name in names if name not in record]
        _require(not missing, f"{missing[:3]}")
        return cls(**{name: record[name] for name in names})  # type: ignore[arg-type]


def _require_integer(value: object, low: int, high: int, name: str) -> None:
    _require(type(value) is int and low <= value <= high, name)


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise ConfigError(
            "a secure sum needs a well-formed announcement",
            came=f"one whose {name[:60]} is missing or out of range",
            action="check the server's version and settings",
        )
