// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What shows a stored round, beside its root: the contract keeps one hash of both.
/// @param round The round's number, from 1.
/// @param activeAt When the round's root may be used, in seconds since 1970, if undisputed.
/// @param recordHash Hash of the round's other fields; see RoundLedger.recordHash.
struct RoundKey {
    uint64 round;
    uint64 activeAt;
    bytes32 recordHash;
}

/// @notice One leaf of a round's tree, (bytes32, address, uint256, uint256).
/// @param identity Whose leaf it is.
/// @param account Where the identity's rewards go.
/// @param reputation In millionths of a point, 0 to 1000 points.
/// @param cumulative All rewards of the identity since round 1, in units of 1e-18 token.
struct Leaf {
    bytes32 identity;
    address account;
    uint256 reputation;
    uint256 cumulative;
}

/// @title What other contracts ask the ledger of rounds
interface IRounds {
    /// @notice Say whether a round with this root is on record, enabled, undisputed and past
    /// its delay.
    /// @param key The round, as its event gave it.
    /// @param root The root of its tree.
    function isActive(RoundKey calldata key, bytes32 root) external view returns (bool);
}
