// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Leaf} from "./IRounds.sol";

/// @title The leaves of a round's tree, as OpenZeppelin's StandardMerkleTree hashes them (P-18)
library Leaves {
    /// @notice A tree of 2^32 leaves has proofs of this length.
    uint256 internal constant MAX_PROOF = 32;

    /// @notice Say whether a leaf lies in the tree with this root.
    /// @dev Hashing twice keeps 64 bytes of two inner nodes from passing for a leaf. The
    /// only loop in these contracts is the one over the proof, and it is bounded here.
    function isIn(Leaf calldata leaf, bytes32 root, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        bytes32 hash = keccak256(bytes.concat(keccak256(abi.encode(leaf))));
        return proof.length <= MAX_PROOF && MerkleProof.verifyCalldata(proof, root, hash);
    }
}
