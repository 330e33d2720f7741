// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./IRounds.sol";

/// @title What the ledger of rounds refuses, tells and is told
interface IRoundLedger is IRounds {
    error RoundLedgerNotPublisher(address account);
    error RoundLedgerPaused();
    error RoundLedgerWrongRound(uint64 expected);
    error RoundLedgerWrongPrevious(bytes32 expected);
    error RoundLedgerBadCid(uint256 length);
    error RoundLedgerBadRoot();
    error RoundLedgerUnfunded(uint256 missing);
    error RoundLedgerBadPublisher();
    error RoundLedgerBadDelay(uint64 limit);
    error RoundLedgerUnknownRound(uint64 round);
    error RoundLedgerAlreadyActive(uint64 round);
    error RoundLedgerAlreadyDisputed(uint64 round);
    error RoundLedgerNotDisputed(uint64 round);

    event RoundRecorded(
        uint64 indexed round,
        bytes32 indexed state,
        bytes32 previous,
        bytes32 modelHash,
        bytes32 rewardRoot,
        uint256 total,
        uint64 activeAt,
        bytes modelCid,
        bytes scoresCid
    );
    event RoundDisputed(uint64 indexed round, address indexed challenger, bytes evidenceCid);
    event DisputeResolved(uint64 indexed round, address indexed challenger, bool upheld);
    event RoundDisabled(uint64 indexed round);
    event PublisherChanged(address indexed before, address indexed publisher);
    event Paused(address account);
    event Unpaused(address account);

    /// @notice What the publisher says about a round.
    /// @param round Its number: nextRound().
    /// @param previous stateOf(round - 1).
    /// @param modelHash SHA-256 of the model's canonical form, as the journal names it.
    /// @param rewardRoot Merkle root over the leaves (see Leaf).
    /// @param total Sum of the leaves' cumulative rewards, in units of 1e-18 token.
    /// @param modelCid The model's CID as bytes, 1 to 64.
    /// @param scoresCid The CID of the list of leaves as bytes, 1 to 64.
    struct Record {
        uint64 round;
        bytes32 previous;
        bytes32 modelHash;
        bytes32 rewardRoot;
        uint256 total;
        bytes modelCid;
        bytes scoresCid;
    }
}
