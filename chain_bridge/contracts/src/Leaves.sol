// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Leaf} from "./IRounds.sol";

/// @title The leaves of a round's tree, as OpenZeppelin's StandardMerkleTree hashes them (P-18)
library Leaves {
    /// @notice A tree of 2^32 leaves has proofs of this length.
    uint256 internal constant MAX_PROOF = 32;

    error LeavesProofTooLong(uint256 length);

    /// @notice The root that a leaf and its siblings lead to.
    /// @dev Hashing twice keeps 64 bytes of two inner nodes from passing for a leaf. The
    /// only loop in these contracts is this one over the proof, and it is bounded. It does
    /// what MerkleProof.processProofCalldata does, for 100 gas a sibling instead of 220; the
    /// tests compare the two.
    function rootOf(Leaf calldata leaf, bytes32[] calldata proof)
        internal
        pure
        returns (bytes32 node)
    {
        if (proof.length > MAX_PROOF) revert LeavesProofTooLong(proof.length);
        node = keccak256(abi.encode(leaf));
        // Bytes 0 to 63 of memory are scratch space.
        assembly ("memory-safe") {
            mstore(0, node)
            node := keccak256(0, 32)
            let end := add(proof.offset, shl(5, proof.length))
            for { let at := proof.offset } lt(at, end) { at := add(at, 32) } {
                let sibling := calldataload(at)
                // The smaller of the two goes first.
                let place := shl(5, gt(node, sibling))
                mstore(place, node)
                mstore(xor(place, 32), sibling)
                node := keccak256(0, 64)
            }
        }
    }
}
