"""The gate for ciphertexts: what can be checked about an update that nobody may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ArrayRecord
from numpy.typing import NDArray

from parity_flwr.core.encryption.bfv import BfvAdder
from parity_flwr.core.encryption.terms import CIPHERTEXT
from parity_flwr.errors import DataError
from parity_flwr.strategies.arrays import ArrayRefusedError, read_array
from parity_flwr.strategies.gate import Arrays, Gate, Refused


@dataclass(frozen=True)
class CiphertextGate(Gate):
    """A gate whose replies hold one encrypted vector, and the arrays that travel in clear.

    ``base`` is the part of the model that travels in clear. That a ciphertext is well-formed
    says nothing about what it encrypts: neither its length nor its direction can be checked.

    Parameters
    ----------
    adder : BfvAdder
        Knows the round's parameters, key and size.
    """

    adder: BfvAdder | None = None

    def _arrays(self, record: ArrayRecord) -> Arrays | Refused:
        if CIPHERTEXT not in record:
            return Refused("no encrypted update: sent in clear, or by another client mod")
        rest = ArrayRecord({name: each for name, each in record.items() if name != CIPHERTEXT})
        clear = super()._arrays(rest)
        if isinstance(clear, Refused):
            return clear
        encrypted = self._ciphertext(record)
        return encrypted if isinstance(encrypted, Refused) else {**encrypted, **clear}

    def _ciphertext(self, record: ArrayRecord) -> dict[str, NDArray[Any]] | Refused:
        if len(record[CIPHERTEXT].data) > self.config.max_bytes:
            return Refused(f"{len(record[CIPHERTEXT].data)} bytes of ciphertext")
        try:
            array = read_array(record[CIPHERTEXT])
        except ArrayRefusedError as error:
            return Refused(f"ciphertext: {error}")
        if array.dtype != np.uint8 or array.ndim != 1:
            return Refused("a ciphertext that is no vector of bytes")
        try:
            if self.adder is not None:
                self.adder.check(array.data)
        except DataError as error:
            return Refused(str(error)[:160])
        return {CIPHERTEXT: array}
