"""The contracts, compiled ahead: ABI, bytecode and what they were compiled from.

The Solidity sources lie in ``src/``; ``make contracts`` compiles them into ``artifacts/``.
Nobody who uses the package compiles anything. What the contracts hash is computed here
too, without a node (:mod:`parity_flwr.chain_bridge.contracts.hashes`).
"""

from parity_flwr.chain_bridge.contracts.artifact import (
    CONTRACT_NAMES,
    Artifact,
    ContractName,
    artifact,
    read_artifact,
)
from parity_flwr.chain_bridge.contracts.hashes import (
    LEAF_TYPES,
    consent_digest,
    genesis_state,
    identity_for,
    record_hash,
    state_hash,
)

__all__ = [
    "CONTRACT_NAMES",
    "LEAF_TYPES",
    "Artifact",
    "ContractName",
    "artifact",
    "consent_digest",
    "genesis_state",
    "identity_for",
    "read_artifact",
    "record_hash",
    "state_hash",
]
