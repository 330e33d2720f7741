// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The loop that the RoundLedger replaces
/// @notice Only measured beside it, never deployed: its cost grows with the participants.
contract NaiveLedger {
    error NaiveLedgerNotPublisher();

    event RoundCredited(uint256 indexed round, uint256 participants);

    /// @notice Who credits rounds.
    address public immutable publisher = msg.sender;
    /// @notice How many rounds were credited.
    uint256 public rounds;
    /// @notice The last score of an account.
    mapping(address account => uint256 score) public scores;
    /// @notice All rewards of an account.
    mapping(address account => uint256 reward) public rewards;

    /// @notice Credit every participant by itself.
    /// @param accounts The participants.
    /// @param newScores Their scores.
    /// @param newRewards What they earned in this round.
    /// @custom:caller publisher
    function creditRound(
        address[] calldata accounts,
        uint256[] calldata newScores,
        uint256[] calldata newRewards
    ) external {
        if (msg.sender != publisher) revert NaiveLedgerNotPublisher();
        for (uint256 i = 0; i < accounts.length; i++) {
            scores[accounts[i]] = newScores[i];
            rewards[accounts[i]] += newRewards[i];
        }
        emit RoundCredited(++rounds, accounts.length);
    }
}
