"""What the contracts hash, computed without a node.

Numbers go in as the contracts' ``abi.encode`` takes them: every one fills 32 bytes.
"""

from __future__ import annotations

from parity_flwr.core.abi import abi_encode, keccak256

LEAF_TYPES = ("bytes32", "address", "uint256", "uint256")
"""A leaf of a round's tree: identity, account, reputation, cumulative reward (P-18).

The reputation is in millionths of a point (0 to 1,000,000,000), the reward in units of
1e-18 token and the sum of all rounds so far.
"""

CONSENT_TYPE = "Register(bytes32 nodeKey,address wallet,uint256 deadline)"
"""What a wallet and a node key sign to be bound to each other (EIP-712)."""

_DOMAIN_TYPE = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


def genesis_state(ledger: str, *, chain_id: int) -> bytes:
    """Return the state that round 1 names as the one before it, 32 bytes.

    Parameters
    ----------
    ledger : str
        The RoundLedger's address.
    chain_id : int
        The chain's id.
    """
    return _enabled(keccak256(abi_encode(("uint256", "address"), (chain_id, ledger))))


def record_hash(
    *,
    round: int,
    previous: bytes,
    model_hash: bytes,
    total: int,
    model_cid: bytes,
    scores_cid: bytes,
) -> bytes:
    """Return the hash of a record's fields but its root and its time, 32 bytes.

    Parameters
    ----------
    round : int
        The round's number, from 1.
    previous : bytes
        The state of the round before.
    model_hash : bytes
        SHA-256 of the model in its canonical encoding, as the journal has it.
    total : int
        Sum of the leaves' cumulative rewards, in units of 1e-18 token.
    model_cid, scores_cid : bytes
        The CIDs of the model and of the list of leaves, as bytes.
    """
    types = ("uint256", "bytes32", "bytes32", "uint256", "bytes32", "bytes32")
    fields = (round, previous, model_hash, total, keccak256(model_cid), keccak256(scores_cid))
    return keccak256(abi_encode(types, fields))


def state_hash(record: bytes, *, reward_root: bytes, active_at: int) -> bytes:
    """Return what the contract keeps of a round, 32 bytes with the last bit 0.

    The last bit of the stored word says that the round is disabled.

    Parameters
    ----------
    record : bytes
        What :func:`record_hash` returned.
    reward_root : bytes
        Root of the round's tree.
    active_at : int
        When the root counts, in seconds since 1970, as the round's event gave it.
    """
    types = ("bytes32", "bytes32", "uint256")
    return _enabled(keccak256(abi_encode(types, (record, reward_root, active_at))))


def identity_for(node_key: bytes, *, wallet: str) -> bytes:
    """Return the identity that an Ed25519 public key and a wallet make, 32 bytes."""
    return keccak256(abi_encode(("bytes32", "address"), (node_key, wallet)))


def consent_digest(
    node_key: bytes, *, wallet: str, deadline: int, registry: str, chain_id: int
) -> bytes:
    """Return the EIP-712 digest that wallet and node key sign, 32 bytes.

    Parameters
    ----------
    node_key : bytes
        The Ed25519 public key.
    wallet : str
        The wallet's address.
    deadline : int
        When the consent ends, in seconds since 1970.
    registry : str
        The ReputationRegistry's address.
    chain_id : int
        The chain's id.
    """
    domain = keccak256(
        abi_encode(
            ("bytes32", "bytes32", "bytes32", "uint256", "address"),
            (
                keccak256(_DOMAIN_TYPE.encode()),
                keccak256(b"ParityReputationRegistry"),
                keccak256(b"1"),
                chain_id,
                registry,
            ),
        )
    )
    message = keccak256(
        abi_encode(
            ("bytes32", "bytes32", "address", "uint256"),
            (keccak256(CONSENT_TYPE.encode()), node_key, wallet, deadline),
        )
    )
    return keccak256(b"\x19\x01" + domain + message)


def _enabled(digest: bytes) -> bytes:
    return digest[:-1] + bytes([digest[-1] & 0xFE])
