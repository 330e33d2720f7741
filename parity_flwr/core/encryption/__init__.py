"""Homomorphic encryption: packed BFV for sums, CKKS for weighted sums and dot products.

TenSEAL is imported when the first key or ciphertext is made, not before.
"""

from parity_flwr.core.encryption.bfv import BfvAdder, BfvCipher, add_all
from parity_flwr.core.encryption.ckks import CkksCipher
from parity_flwr.core.encryption.ckks_products import (
    encrypted_linear_scores,
    linear_scores,
    weighted_sum,
)
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.plan import BfvPlan

__all__ = [
    "BfvAdder",
    "BfvCipher",
    "BfvPlan",
    "CkksCipher",
    "GroupSecret",
    "add_all",
    "encrypted_linear_scores",
    "linear_scores",
    "weighted_sum",
]
