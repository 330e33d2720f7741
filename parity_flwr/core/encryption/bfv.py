"""Encrypted sums: exact, additive, nothing else (P-24, homomorphic addition).

Clients encrypt packed integers, the server adds ciphertexts without a key, who holds the key
decrypts the sum. The first slot of every ciphertext holds 1, so that a sum says how many
addends it has; a ciphertext under another key or a damaged one breaks that slot too, but for
chance 1/t.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encryption.envelope import FULL_BYTES, Envelope, bfv_shape, parse_envelope
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.plan import VALUES, BfvPlan
from parity_flwr.core.encryption.seal import Ring
from parity_flwr.errors import DataError

Integers = NDArray[np.int64]


class _Encrypting(Protocol):
    """One of SEAL's two ways to encrypt."""

    def __call__(self, plaintext: Any) -> Any:
        """Return something that can be saved."""
        ...


class BfvAdder:
    """Adds encrypted vectors; holds no key (the server's part).

    Parameters
    ----------
    plan : BfvPlan
        The parameters.
    size : int
        Length of the vectors.
    key_id : bytes
        The key that all must be encrypted under.
    """

    def __init__(self, plan: BfvPlan, *, size: int, key_id: bytes) -> None:
        self._ring = Ring(plan)
        self._plan, self._size, self._key_id = plan, size, key_id
        self._totals: list[Any] = []
        self._addends = 0

    @property
    def addends(self) -> int:
        """How many vectors were added."""
        return self._addends

    def check(self, data: bytes | memoryview) -> list[Any]:
        """Return one client's ciphertexts; DataError with the reason if it has sent others."""
        parts = parse_envelope(
            data, bfv_shape(self._plan, size=self._size, key_id=self._key_id, fresh=True)
        )
        return [self._ring.load(blob) for blob in parts.blobs]

    def add(self, ciphertexts: list[Any]) -> None:
        """Add what :meth:`check` returned; DataError if the sum would be full."""
        if self._addends >= self._plan.addends:
            raise DataError(
                f"the round's parameters have room for {self._plan.addends} addends",
                came="one more",
                action="plan for as many as are asked",
            )
        if self._addends == 0:
            self._totals = ciphertexts
        else:
            for total, ciphertext in zip(self._totals, ciphertexts, strict=True):
                self._ring.add(total, ciphertext)
        self._addends += 1

    def total(self) -> bytes:
        """Return the encrypted sum.

        Raises
        ------
        DataError
            If nothing was added.
        """
        if self._addends == 0:
            raise DataError("a sum needs an addend", came="none", action="reject the round")
        return Envelope(
            plan=self._plan.digest,
            key_id=self._key_id,
            size=self._size,
            addends=self._addends,
            blobs=tuple(self._ring.save(total) for total in self._totals),
        ).to_bytes()


class BfvPublicCipher:
    """Encrypts vectors for somebody else: with a public key, twice the bytes of a secret one.

    Parameters
    ----------
    plan : BfvPlan
        The parameters, with ``public_key``.
    public_key : bytes
        From :meth:`BfvCipher.public_key`; hostile.
    key_id : bytes
        Names the key.

    Raises
    ------
    DataError
        If the bytes are no public key under these parameters.
    """

    def __init__(self, plan: BfvPlan, public_key: bytes, *, key_id: bytes) -> None:
        self._plan = plan
        self._ring = Ring(plan)
        if len(public_key) > FULL_BYTES:
            raise DataError(
                "a public key needs a bound", came="too many bytes", action="refuse"
            )
        self._key = self._ring.load_key(self._ring.api.PublicKey(), public_key)
        self.key_id = key_id

    def encrypt(self, integers: Integers) -> bytes:
        """Return the encrypted vector of integers from 0 to the plan's ``levels``."""
        encryptor = self._ring.api.Encryptor(self._ring.context, self._key)

        def encrypt(plaintext: Any) -> Any:
            ciphertext = self._ring.api.Ciphertext(self._ring.context)
            encryptor.encrypt(plaintext, ciphertext)
            return ciphertext

        return _encrypt(self._plan, self._ring, self.key_id, integers, encrypt)


class BfvCipher:
    """Encrypts vectors and decrypts sums of them with the group's secret (the clients' part).

    Parameters
    ----------
    plan : BfvPlan
        The parameters; symmetric ones.
    secret : GroupSecret
        What the clients share.

    Examples
    --------
    >>> plan = BfvPlan(addends=2, clip=1.0)
    >>> cipher = BfvCipher(plan, GroupSecret(bytes(32)))
    >>> adder = BfvAdder(plan, size=3, key_id=cipher.key_id)
    >>> for values in ([0.5, -0.25, 0.0], [0.25, 0.25, 1.0]):
    ...     encrypted = cipher.encrypt(plan.grid.quantise(np.array(values)))
    ...     adder.add(adder.check(encrypted))
    >>> sums, addends = cipher.decrypt_sum(adder.total(), size=3)
    >>> plan.grid.decode_sum(sums, addends=addends).tolist()
    [0.75, 0.0, 1.0]
    """

    def __init__(self, plan: BfvPlan, secret: GroupSecret) -> None:
        self._plan = plan
        self._ring = Ring(plan)
        self._key = self._ring.secret_key(secret.derive(b"bfv", 64))
        self.key_id = secret.id

    def public_key(self) -> bytes:
        """Return the public key, for others to encrypt with."""
        generator = self._ring.api.KeyGenerator(self._ring.context, self._key)
        public = self._ring.api.PublicKey()
        generator.create_public_key(public)
        return self._ring.save(public)

    def encrypt(self, integers: Integers) -> bytes:
        """Return the encrypted vector of integers from 0 to the plan's ``levels``."""
        encryptor = self._ring.api.Encryptor(self._ring.context, self._key)
        return _encrypt(
            self._plan, self._ring, self.key_id, integers, encryptor.encrypt_symmetric
        )

    def decrypt_sum(self, data: bytes | memoryview, *, size: int) -> tuple[Integers, int]:
        """Return the exact sums and how many vectors were added.

        Raises
        ------
        DataError
            If the bytes are no sum under this key and these parameters.
        """
        return _decrypt(self._plan, self._ring, self.key_id, self._key, data, size)


def _encrypt(
    plan: BfvPlan, ring: Ring, key_id: bytes, integers: Integers, encrypting: _Encrypting
) -> bytes:
    slots = plan.packing.pack(integers)
    blobs = tuple(
        ring.save(encrypting(ring.encode(slots[start : start + VALUES])))
        for start in range(0, slots.size, VALUES)
    )
    return Envelope(
        plan=plan.digest, key_id=key_id, size=integers.size, addends=1, blobs=blobs
    ).to_bytes()


def _decrypt(
    plan: BfvPlan, ring: Ring, key_id: bytes, key: Any, data: bytes | memoryview, size: int
) -> tuple[Integers, int]:
    parts = parse_envelope(data, bfv_shape(plan, size=size, key_id=key_id, fresh=False))
    decryptor = ring.api.Decryptor(ring.context, key)
    slots = np.empty(len(parts.blobs) * VALUES, np.int64)
    for index, blob in enumerate(parts.blobs):
        plaintext = ring.api.Plaintext()
        decryptor.decrypt(ring.load(blob), plaintext)
        decoded = ring.decode(plaintext)
        _check_count(int(decoded[0]), parts.addends)
        slots[index * VALUES : (index + 1) * VALUES] = decoded[1:]
    used = plan.packing.slots_for(size)
    if slots[used:].any():
        raise _broken("numbers after the last one")
    return plan.packing.unpack(slots[:used], size=size), parts.addends


def _check_count(found: int, stated: int) -> None:
    if found != stated:
        raise _broken(f"{stated} addends stated and another number inside")


def _broken(came: str) -> DataError:
    return DataError(
        "an encrypted sum needs to be one of intact ciphertexts under this key",
        came=came,
        action="reject the round: a client's ciphertext is damaged or under another key",
    )


def add_all(plan: BfvPlan, vectors: Iterable[bytes], *, size: int, key_id: bytes) -> bytes:
    """Return the encrypted sum of encrypted vectors (P-24)."""
    adder = BfvAdder(plan, size=size, key_id=key_id)
    for vector in vectors:
        adder.add(adder.check(vector))
    return adder.total()
