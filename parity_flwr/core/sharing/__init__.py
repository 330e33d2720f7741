"""P-23: secret sharing modulo a prime.

:mod:`~parity_flwr.core.sharing.additive` needs every share to get the secret back (n of n);
:mod:`~parity_flwr.core.sharing.shamir` needs any t of n, so that holders may drop out;
:mod:`~parity_flwr.core.sharing.vectors` does both for arrays of small integers.
"""

from parity_flwr.core.sharing.additive import additive_shares, additive_sum
from parity_flwr.core.sharing.field import MERSENNE_31, PRIME_256, Draw
from parity_flwr.core.sharing.shamir import (
    combine,
    extension_weights,
    interpolation_weights,
    share_bytes,
    share_from_bytes,
    split,
)
from parity_flwr.core.sharing.vectors import (
    combine_vector,
    split_vector,
    vector_shares,
    vector_sum,
)

__all__ = [
    "MERSENNE_31",
    "PRIME_256",
    "Draw",
    "additive_shares",
    "additive_sum",
    "combine",
    "combine_vector",
    "extension_weights",
    "interpolation_weights",
    "share_bytes",
    "share_from_bytes",
    "split",
    "split_vector",
    "vector_shares",
    "vector_sum",
]
