"""BFV parameters for sums: how much fits in a slot, and why the sum is exact.

Ring degree 4096 with one 60-bit coefficient modulus. The homomorphic encryption standard
(Albrecht et al. 2018, ternary secret) allows 109 bits at 128-bit security for that degree;
60 bits leave a margin that nothing here needs, since sums use no key switching.

A sum of n ciphertexts decrypts to the sum of the plaintexts if, in every coefficient,
|noise| + n/2 < q / (2t): n/2 bounds the rounding of q/t * message. A fresh error coefficient
is a centred binomial of 42 coins, hence sub-Gaussian with variance proxy 42/4 (Hoeffding).
With a public key it is e_pk*u + e_1 + e_2*s with ternary u and s: given e_pk, whose
coefficients are 21 at most, and s, its proxy is at most 441 N + 10.5 (N + 1). The plan
demands a bound on the noise that fails with probability 2^-80 per coefficient.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

from parity_flwr.core.encryption.packing import Packing
from parity_flwr.core.encryption.primes import batching_prime
from parity_flwr.core.fixed_point import DEFAULT_LEVELS, MAX_SUM, FixedPoint, check_addends
from parity_flwr.core.integrity import integer_bytes, length_prefixed, text_bytes
from parity_flwr.errors import ConfigError

MAX_MODULUS_BITS = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Bits of the coefficient modulus at 128-bit security (HE standard, ternary secret)."""

DEGREE = 4096
COEFFICIENT_MODULUS = 1152921504606830593  # the largest 60-bit prime that is 1 modulo 8192
VALUES = DEGREE - 1
"""Slots of a ciphertext that hold digits; the first one counts the addends."""

MAX_ADDENDS = 100_000
_FAILURE = 81 * math.log(2)  # 2 exp(-x) = 2^-80
_BINOMIAL_PROXY = 42 / 4
_BINOMIAL_MOST = 21


@dataclass(frozen=True, kw_only=True)
class BfvPlan:
    """What both ends of an encrypted sum agree on; everything else follows from it.

    Parameters
    ----------
    addends : int
        The most ciphertexts that may be added, 1 to 100 000.
    clip : float
        Every number lies in [-clip, clip].
    levels : int
        Steps of the fixed-point grid; an addend is off by ``clip / levels`` at most.
    public_key : bool
        Whether clients encrypt with a public key, whose noise is larger.

    Raises
    ------
    ConfigError
        If no plain modulus of 60 bits leaves room for the noise.

    Examples
    --------
    >>> plan = BfvPlan(addends=10, clip=1.0)
    >>> plan.packing.digits, plan.plain_modulus.bit_length()
    (3, 52)
    >>> BfvPlan(addends=100, clip=1.0).packing.digits
    2
    """

    addends: int
    clip: float
    levels: int = DEFAULT_LEVELS
    public_key: bool = False

    def __post_init__(self) -> None:
        if type(self.addends) is not int or not 1 <= self.addends <= MAX_ADDENDS:
            raise ConfigError(
                f"an encrypted sum needs 1 to {MAX_ADDENDS} addends",
                came=repr(self.addends),
                action="ask fewer clients a round",
            )
        check_addends(self.addends, self.grid.levels)
        _ = self.packing  # refuses what does not fit

    @cached_property
    def grid(self) -> FixedPoint:
        """The fixed-point grid of every number."""
        return FixedPoint(clip=self.clip, levels=self.levels)

    @cached_property
    def packing(self) -> Packing:
        """As many digits in a slot as the noise leaves room for."""
        radix = self.addends * self.levels + 1
        for digits in range(8, 0, -1):
            if radix**digits <= MAX_SUM and self._fits(radix**digits):
                return Packing(addends=self.addends, levels=self.levels, digits=digits)
        raise ConfigError(
            "an encrypted sum needs room for one number in a slot",
            came=f"{self.addends} addends of {self.levels} levels",
            action="lower one of them",
        )

    @property
    def plain_modulus(self) -> int:
        """The prime t: at least the packing's capacity, 1 modulo 2N for batching."""
        return batching_prime(self.packing.capacity, degree=DEGREE)

    @property
    def noise_bound(self) -> float:
        """The most noise of a coefficient after all additions, but for probability 2^-80."""
        proxy = _BINOMIAL_PROXY
        if self.public_key:
            proxy = _BINOMIAL_MOST**2 * DEGREE + _BINOMIAL_PROXY * (DEGREE + 1)
        return math.sqrt(2 * _FAILURE * proxy * self.addends)

    def _fits(self, capacity: int) -> bool:
        if capacity >= 1 << 59:
            return False
        modulus = batching_prime(capacity, degree=DEGREE)
        room = COEFFICIENT_MODULUS / (2 * modulus)
        return self.noise_bound + self.addends / 2 + 1 < room

    def ciphertexts_for(self, size: int) -> int:
        """Return how many ciphertexts hold ``size`` numbers."""
        return -(-self.packing.slots_for(size) // VALUES)

    @property
    def digest(self) -> bytes:
        """16 bytes that differ between plans; every ciphertext carries them."""
        fields = length_prefixed(
            b"parity-flwr/bfv-plan/v1",
            integer_bytes(self.addends, name="addends"),
            integer_bytes(self.levels, name="levels"),
            text_bytes(float(self.clip).hex(), name="clip"),
            bytes([self.public_key]),
        )
        return hashlib.sha256(fields).digest()[:16]
