"""Merkle trees exactly as OpenZeppelin's StandardMerkleTree builds them (P-18).

A leaf is keccak256(keccak256(abi.encode(values))); hashing twice keeps 64 bytes of two inner
nodes from passing for a leaf. An inner node is the keccak256 of its two children in
ascending order, so a proof needs no directions. The same proof verifies on chain with
OpenZeppelin's ``MerkleProof.verify``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from parity_flwr.core.abi import AbiValue, abi_encode, keccak256
from parity_flwr.errors import ConfigError

MAX_PROOF = 256
"""No tree that fits a computer needs a longer proof."""


def leaf_hash(types: Sequence[str], values: Sequence[AbiValue]) -> bytes:
    """Return keccak256(keccak256(abi.encode(values))), 32 bytes (P-18)."""
    return keccak256(keccak256(abi_encode(types, values)))


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the keccak256 of two nodes in ascending order, 32 bytes (P-18)."""
    return keccak256(left + right if left < right else right + left)


@dataclass(frozen=True)
class MerkleTree:
    """A complete binary tree in an array: node i has the children 2i + 1 and 2i + 2.

    Build it with :meth:`of`. ``nodes`` has 2n - 1 entries of 32 bytes; the leaves, sorted
    by hash, stand at its end in reverse; ``positions[i]`` is where the i-th value's leaf is.
    """

    nodes: tuple[bytes, ...]
    positions: tuple[int, ...]

    @classmethod
    def of(cls, rows: Sequence[Sequence[AbiValue]], *, types: Sequence[str]) -> MerkleTree:
        """Build the tree over these rows of values (P-18; Parity, Eq. 18).

        *Decided*: the paper's Eq. 18 hashes all leaves at once, which gives no O(log n)
        proof; this is the tree that its text describes.

        Raises
        ------
        ConfigError
            If there is no row, or a value is not of its type.

        Examples
        --------
        >>> tree = MerkleTree.of([[1], [2], [3]], types=["uint256"])
        >>> verify(tree.root, [2], tree.proof(1), types=["uint256"])
        True
        """
        if not rows:
            raise ConfigError("a Merkle tree needs a leaf", came="none", action="add a row")
        leaves = [leaf_hash(types, row) for row in rows]
        order = sorted(range(len(leaves)), key=leaves.__getitem__)
        nodes = [b""] * (2 * len(leaves) - 1)
        positions = [0] * len(leaves)
        for rank, index in enumerate(order):
            positions[index] = len(nodes) - 1 - rank
            nodes[positions[index]] = leaves[index]
        for parent in reversed(range(len(leaves) - 1)):
            nodes[parent] = node_hash(nodes[2 * parent + 1], nodes[2 * parent + 2])
        return cls(tuple(nodes), tuple(positions))

    @property
    def root(self) -> bytes:
        """The 32 bytes that commit to all values."""
        return self.nodes[0]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings from the index-th value's leaf up to the root, O(log n).

        Raises
        ------
        ConfigError
            If there is no such value.
        """
        if not 0 <= index < len(self.positions):
            raise ConfigError(
                f"a proof needs an index from 0 to {len(self.positions) - 1}",
                came=str(index),
                action="pass the position of the value in the rows",
            )
        node = self.positions[index]
        siblings: list[bytes] = []
        while node > 0:
            siblings.append(self.nodes[node + 1 if node % 2 else node - 1])
            node = (node - 1) // 2
        return tuple(siblings)


def process_proof(leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that a leaf and its siblings lead to, 32 bytes (P-18)."""
    return reduce(node_hash, proof, leaf)


def verify(
    root: bytes, values: Sequence[AbiValue], proof: Sequence[bytes], *, types: Sequence[str]
) -> bool:
    """Say whether the proof shows that the tree with this root holds these values (P-18).

    Takes the values, not a leaf's hash: an inner node would pass for a leaf. A malformed
    root or proof is False.

    Raises
    ------
    ConfigError
        If a value is not of its type.
    """
    leaf = leaf_hash(types, values)
    if len(proof) > MAX_PROOF or not all(_is_node(node) for node in (root, *proof)):
        return False
    return process_proof(leaf, proof) == root


def _is_node(node: object) -> bool:
    return isinstance(node, bytes) and len(node) == 32
