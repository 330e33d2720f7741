"""What a server announces with an encrypted round, and what a client makes of it."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.errors import DataError

HE_RECORD: Final = "parity-he"
"""The ConfigRecord of everything about encryption, in both directions."""

PHASE: Final = "phase"
RUN_ID: Final = "run"
KEY_ID: Final = "key-id"
OFFER: Final = "offer"
OFFERS: Final = "offers"
BOX: Final = "box"
BOXES: Final = "boxes"
PUBLIC: Final = "public"
SIZE: Final = "size"
TOTAL: Final = "total"

CIPHERTEXT: Final = "parity-he.ciphertext"
"""Array of bytes: an encrypted vector."""

SUMS: Final = "parity-he.sums"
"""Array of integers: a decrypted sum."""

SEALED: Final = "parity-he.sealed"
"""Array of bytes: a model that only the clients can open."""

MAX_PATTERNS: Final = 1000

Scalars = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]


class Phase(StrEnum):
    """What a message about encryption asks for."""

    OFFER = "offer"  # which key do you hold, or a public key to send it to
    WRAP = "wrap"  # wrap the secret (make it, if need be) for these offers
    UNWRAP = "unwrap"  # here it is
    PUBLISH = "publish"  # give the decryptor's public key
    ADOPT = "adopt"  # here it is
    UPDATE = "update"  # train, and send the update encrypted
    OPEN = "open"  # decrypt this sum
    MODEL = "model"  # the model is sealed: evaluate it


class Reveal(StrEnum):
    """What the server learns of a round."""

    AGGREGATE = "aggregate"  # the weighted sum, and so the model; no update
    NOTHING = "nothing"  # neither: clients return the model sealed under their key


class KeyHolding(StrEnum):
    """Who can decrypt."""

    CLIENTS = "clients"  # all clients share one secret: any of them, with the server, breaks it
    DECRYPTOR = "decryptor"  # one party that trains nothing: it, with the server, breaks it


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a client's update is weighted, rounded and encrypted in one round.

    Parameters
    ----------
    addends : int
        How many clients are asked.
    clip, levels
        The fixed-point grid.
    factor : float
        The client's weight by reputation over the largest one, in [0, 1].
    examples_cap : int
        An update counts ``min(n_k, examples_cap) / examples_cap`` of it; 1 = all alike.
    minimum : int
        No sum of fewer updates may be opened.
    reveal : Reveal
        What the server will learn.
    clear : tuple of str
        Patterns of the arrays that travel unencrypted.
    public_key : bool
        Whether clients encrypt with a decryptor's public key.
    """

    addends: int
    clip: float
    levels: int
    factor: float
    examples_cap: int
    minimum: int
    reveal: Reveal
    clear: tuple[str, ...] = ()
    public_key: bool = False

    @property
    def plan(self) -> BfvPlan:
        """The encryption's parameters."""
        return BfvPlan(
            addends=self.addends,
            clip=self.clip,
            levels=self.levels,
            public_key=self.public_key,
        )

    def weight(self, num_examples: int) -> float:
        """Return by what the client multiplies its update, in [0, 1]."""
        return self.factor * min(num_examples, self.examples_cap) / self.examples_cap

    def to_values(self) -> Scalars:
        """Return the terms as values of a ConfigRecord."""
        values: Scalars = {
            name: getattr(self, name) for name in _KINDS if name not in ("reveal", "clear")
        }
        return {**values, "reveal": self.reveal.value, "clear": list(self.clear)}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Terms:
        """Return the terms that the server sent.

        Raises
        ------
        DataError
            If one is missing or of another kind; ConfigError if one is out of range.
        """
        found: Scalars = {}
        for name, kind in _KINDS.items():
            if type(values.get(name)) is not kind:
                raise _refusal(f"{name} as {kind.__name__}", ascii(values.get(name))[:60])
            found[name] = values[name]
        if found["reveal"] not in tuple(Reveal):
            raise _refusal("what is revealed", ascii(found["reveal"])[:60])
        clear = found["clear"]
        if len(clear) > MAX_PATTERNS or any(not isinstance(each, str) for each in clear):
            raise _refusal("patterns as text", "others")
        if not (math.isfinite(found["factor"]) and 0 <= found["factor"] <= 1):
            raise _refusal("a factor from 0 to 1", repr(found["factor"]))
        if found["examples_cap"] < 1 or found["minimum"] < 1:
            raise _refusal("a cap and a minimum of 1 at least", "less")
        return cls(**{**found, "reveal": Reveal(found["reveal"]), "clear": tuple(clear)})


_KINDS: Final[Mapping[str, type]] = {
    "addends": int,
    "clip": float,
    "levels": int,
    "factor": float,
    "examples_cap": int,
    "minimum": int,
    "reveal": str,
    "clear": list,
    "public_key": bool,
}


def _refusal(needed: str, came: str) -> DataError:
    return DataError(
        f"an encrypted round needs {needed}", came=came, action="use EncryptedAggregation"
    )


def is_clear(name: str, patterns: Iterable[str]) -> bool:
    """Say whether an array travels unencrypted: shell patterns, case matters.

    Examples
    --------
    >>> is_clear("body.0.weight", ["body.*"]), is_clear("head.weight", ["body.*"])
    (True, False)
    """
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which arrays of a model are encrypted, which travel in clear, and which stay.

    Floating-point arrays are encrypted unless they are clear; integers and booleans
    (counters) stay what they were unless they are clear.
    """

    encrypted: tuple[str, ...]
    clear: tuple[str, ...]
    size: int  # numbers of the encrypted arrays together

    @classmethod
    def of(cls, model: Arrays, patterns: Iterable[str] = ()) -> Layout:
        """Return the layout of a model."""
        patterns = tuple(patterns)
        clear = tuple(name for name in model if is_clear(name, patterns))
        encrypted = tuple(
            name
            for name, array in model.items()
            if name not in clear and array.dtype.kind == "f"
        )
        size = sum(int(model[name].size) for name in encrypted)
        return cls(encrypted=encrypted, clear=clear, size=size)

    def difference(self, model: Arrays, base: Arrays) -> NDArray[np.float64]:
        """Return the encrypted arrays of ``model - base`` as one vector, float64."""
        parts = [
            np.subtract(model[name], base[name], dtype=np.float64).reshape(-1)
            for name in self.encrypted
        ]
        return np.concatenate([np.empty(0), *parts])

    def moved(self, base: Arrays, step: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """Return the base with its encrypted arrays moved by a vector, in their dtypes."""
        model = dict(base)
        start = 0
        for name in self.encrypted:
            array = base[name]
            part = step[start : start + array.size].reshape(array.shape)
            model[name] = np.asarray(array + part, array.dtype)
            start += array.size
        return model


def sums_dtype(plan: BfvPlan) -> np.dtype[Any]:
    """Return the smallest unsigned dtype that holds a sum."""
    return np.dtype("<u4" if plan.addends * plan.levels < 1 << 32 else "<u8")


def typed(values: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return a value of a ConfigRecord; DataError if it is missing or of another kind."""
    value = values.get(name)
    if type(value) is not kind:
        raise _refusal(f"{name!r} as {kind.__name__}", type(value).__name__)
    return value
