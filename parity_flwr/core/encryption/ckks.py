"""Approximate encryption for what needs reals and products (P-24, P-25).

Sums that a server weights after it has seen who came, and a linear model evaluated on
encrypted test data. Degree 8192 with [60, 40, 60] bits: 160 of the 218 that the homomorphic
encryption standard allows at 128-bit security; one multiplication; errors near 1e-8 for
numbers near 1.

CKKS decrypts to the message plus the noise. Whoever gets exact decryptions of ciphertexts
that he knows or chose can learn the key from that noise (Li and Micciancio 2021), so
decryptions belong to the holder of the key alone. For sums that go to others use BFV.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.encryption.envelope import Envelope, Shape, parse_envelope
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.primes import batching_prime
from parity_flwr.core.encryption.seal import SealRing
from parity_flwr.errors import DataError

Values = NDArray[np.float64]

DEGREE: Final = 8192
BITS: Final = (60, 40, 60)
SLOTS: Final = DEGREE // 2
SCALE: Final = 2.0**40
LARGEST: Final = 1e4
"""No number, weight or result may be larger: 2^40 times it must fit the last modulus."""

_PLAN: Final = hashlib.sha256(b"parity-flwr/ckks/8192-60-40-60/v1").digest()[:16]
_LONGEST: Final = 2 * 2 * DEGREE * 8 + 1024


class CkksRing(SealRing):
    """The parameters, with their slots and levels."""

    def __init__(self) -> None:
        super().__init__(bfv=False, degree=DEGREE, moduli=_moduli())
        self._encoder = self.api.CKKSEncoder(self.context)

    def encode(self, values: Values | float, *, scale: float = SCALE, level: Any = None) -> Any:
        """Return a plaintext: a vector of at most 4096 numbers, or one number for all slots."""
        plaintext = self.api.Plaintext()
        level = self.context.first_parms_id() if level is None else level
        given = float(values) if isinstance(values, int | float) else values.tolist()
        self._encoder.encode(given, level, scale, plaintext)
        return plaintext

    def decode(self, plaintext: Any) -> Values:
        """Return the 4096 slots."""
        return np.array(self._encoder.decode_double(plaintext), np.float64)

    def load(self, blob: bytes, *, level: Any = None) -> Any:
        """Return a fresh ciphertext, or a product at its level, of about this scale."""
        ciphertext = super().load(blob, level=level)
        if not SCALE / 4 <= ciphertext.scale <= SCALE * 4:  # NaN compares false
            raise DataError(
                "a ciphertext needs the scale 2^40", came="another", action="refuse its sender"
            )
        return ciphertext

    @property
    def product_level(self) -> Any:
        """The level at which a rescaled product is."""
        return self.context.last_parms_id()


def _moduli() -> list[int]:
    """Return primes of :data:`BITS` bits: the smallest of 40, two of 60 (1 modulo 2N)."""
    middle = batching_prime((1 << 39) + 1, degree=DEGREE)
    first = batching_prime((1 << 59) + 1, degree=DEGREE)
    return [first, middle, batching_prime(first + 1, degree=DEGREE)]


class CkksCipher:
    """Encrypts vectors of reals and decrypts results; holds the key.

    Parameters
    ----------
    secret : GroupSecret
        What the key is derived from.

    Examples
    --------
    >>> from parity_flwr.core.encryption.ckks_products import weighted_sum
    >>> cipher = CkksCipher(GroupSecret(bytes(32)))
    >>> one, two = cipher.encrypt(np.array([1.0, 2.0])), cipher.encrypt(np.array([10.0, 0.0]))
    >>> total = weighted_sum([one, two], [0.5, 0.25], size=2, key_id=cipher.key_id)
    >>> cipher.decrypt(total, size=2).round(6).tolist()
    [3.0, 1.0]
    """

    def __init__(self, secret: GroupSecret) -> None:
        self._ring = CkksRing()
        self._key = self._ring.secret_key(secret.derive(b"ckks", 64))
        self.key_id = secret.id

    def encrypt(self, values: NDArray[Any]) -> bytes:
        """Return an encrypted vector of any length.

        Raises
        ------
        DataError
            If a number is NaN, infinite or beyond :data:`LARGEST`.
        """
        flat = np.asarray(values, np.float64).reshape(-1)
        if flat.size == 0 or not np.abs(flat).max() <= LARGEST:
            raise DataError(
                f"CKKS needs at least one number, all within {LARGEST:g}",
                came="none, NaN or larger ones",
                action="scale the data",
            )
        encryptor = self._ring.api.Encryptor(self._ring.context, self._key)
        blobs = tuple(
            self._ring.save(
                encryptor.encrypt_symmetric(self._ring.encode(flat[start : start + SLOTS]))
            )
            for start in range(0, flat.size, SLOTS)
        )
        return ckks_envelope(blobs, size=flat.size, key_id=self.key_id)

    def decrypt(self, data: bytes | memoryview, *, size: int) -> Values:
        """Return the numbers of a result, with errors near 1e-8; keep them to yourself.

        Raises
        ------
        DataError
            If the bytes are no result under this key.
        """
        decryptor = self._ring.api.Decryptor(self._ring.context, self._key)
        parts = []
        for blob in parse_envelope(data, ckks_shape(size, self.key_id)).blobs:
            plaintext = self._ring.api.Plaintext()
            level = self._ring.product_level
            decryptor.decrypt(self._ring.load(blob, level=level), plaintext)
            parts.append(self._ring.decode(plaintext))
        return np.concatenate(parts)[:size]

    def relinearisation_key(self) -> bytes:
        """Return the public key material that products of two ciphertexts need."""
        generator = self._ring.api.KeyGenerator(self._ring.context, self._key)
        return self._ring.save(generator.create_relin_keys())


def ckks_shape(size: int, key_id: bytes) -> Shape:
    """Return what an encrypted vector of that size must be."""
    count = -(-size // SLOTS)
    return Shape(plan=_PLAN, key_id=key_id, size=size, addends=1, count=count, longest=_LONGEST)


def ckks_envelope(blobs: tuple[bytes, ...], *, size: int, key_id: bytes) -> bytes:
    """Return the bytes of an encrypted vector."""
    return Envelope(plan=_PLAN, key_id=key_id, size=size, addends=1, blobs=blobs).to_bytes()
