// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Leaf} from "./IRounds.sol";

/// @title The leaves of a round's tree, as OpenZeppelin's StandardMerkleTree hashes them (P-18)
library Leaves {
    /// @notice A tree of 2^32 leaves has proofs of this length.
    uint256 internal constant MAX_PROOF = 32;

    error LeavesProofTooLong(uint256 length);

    /// @notice The root that a leaf and its siblings lead to.
    /// @dev Hashing twice keeps 64 bytes of two inner nodes from passing for a leaf. The
    /// only loop in these contracts is this one over the proof, and it is bounded. It is
    /// MerkleProof.processProofCalldata without the index checks.
    function rootOf(Leaf calldata leaf, bytes32[] calldata proof)
        internal
        pure
        returns (bytes32 node)
    {
        uint256 length = proof.length;
        if (length > MAX_PROOF) revert LeavesProofTooLong(length);
        node = keccak256(abi.encode(leaf));
        assembly ("memory-safe") {
            mstore(0, node)
            node := keccak256(0, 32)
        }
        for (uint256 i = 0; i < length;) {
            bytes32 sibling;
            // i < length <= 32: inside the array, and i + 1 does not overflow.
            assembly ("memory-safe") {
                sibling := calldataload(add(proof.offset, shl(5, i)))
                i := add(i, 1)
            }
            node = Hashes.commutativeKeccak256(node, sibling);
        }
    }
}
