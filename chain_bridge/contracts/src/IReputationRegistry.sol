// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What the registry of identities refuses, tells and keeps
interface IReputationRegistry {
    error ReputationRegistryNotWallet(address account);
    error ReputationRegistryNotSlasher(address account);
    error ReputationRegistryBadParameter();
    error ReputationRegistryBadKey();
    error ReputationRegistryBadSignature();
    error ReputationRegistryExpired(uint256 deadline);
    error ReputationRegistryWalletUsed(bytes32 identity);
    error ReputationRegistryWrongStatus(Status status);
    error ReputationRegistryBadAmount();
    error ReputationRegistryTooEarly(uint64 until);
    error ReputationRegistryTooLate(uint64 until);
    error ReputationRegistryBadCid(uint256 length);
    error ReputationRegistryBadSeverity(uint256 severity);
    error ReputationRegistryBadProof();
    error ReputationRegistryOldRound(uint64 anchored);

    event Registered(
        bytes32 indexed identity,
        address indexed wallet,
        bytes32 indexed nodeKey,
        bytes nodeSignature
    );
    event Deposited(bytes32 indexed identity, address indexed from, uint256 amount);
    event UnbondingStarted(bytes32 indexed identity, uint256 amount, uint64 releaseAt);
    event Withdrawn(bytes32 indexed identity, address indexed wallet, uint256 amount);
    event Slashed(
        bytes32 indexed identity, uint256 severity, uint256 amount, bytes evidenceCid
    );
    event SlashReversed(bytes32 indexed identity, uint256 amount);
    event SlashSettled(bytes32 indexed identity, uint256 amount);
    event Banned(bytes32 indexed identity, uint64 appealUntil, bytes evidenceCid);
    event Appealed(bytes32 indexed identity, uint64 decideUntil, bytes statementCid);
    event BanLifted(bytes32 indexed identity);
    event Retired(bytes32 indexed identity);
    event ReputationAnchored(bytes32 indexed identity, uint64 indexed round, uint256 reputation);
    event SlasherChanged(address indexed before, address indexed slasher);

    /// @notice Where an identity stands. Suspended: banned, and may appeal. Appealed: the
    /// owner has to decide. Retired: out for good.
    enum Status {
        None,
        Active,
        Suspended,
        Appealed,
        Retired
    }

    /// @notice What the registry keeps of an identity.
    /// @param wallet Who may unbond, withdraw, appeal and retire.
    /// @param status Where it stands.
    /// @param banUntil End of the time to appeal, or to decide an appeal, in seconds since 1970.
    /// @param nodeKey The Ed25519 public key that signs its replies.
    /// @param stake What it has at stake, in units of 1e-18 token.
    /// @param unbonding What it is taking out; it can still be slashed.
    /// @param held What was slashed and can still be given back.
    /// @param releaseAt From when `unbonding` can be withdrawn.
    /// @param heldUntil Until when `held` can be given back.
    /// @param anchoredRound The round of `reputation`, 0 for none.
    /// @param reputation In millionths of a point, 0 to 1000 points.
    struct Identity {
        address wallet;
        Status status;
        uint64 banUntil;
        bytes32 nodeKey;
        uint128 stake;
        uint128 unbonding;
        uint128 held;
        uint64 releaseAt;
        uint64 heldUntil;
        uint64 anchoredRound;
        uint64 reputation;
    }

    /// @notice Sums over all identities; staked + slashed + withdrawn == deposited.
    /// @param deposited All that was ever put in.
    /// @param withdrawn All that was ever taken out.
    /// @param staked At stake or unbonding now.
    /// @param slashed Slashed and not given back, settled or not.
    struct Totals {
        uint128 deposited;
        uint128 withdrawn;
        uint128 staked;
        uint128 slashed;
    }

    /// @notice What is fixed at deployment.
    /// @param unbondingPeriod Seconds from unbonding to withdrawal, 1 to 365 days; 30 days (S).
    /// @param appealWindow Seconds to appeal, to decide, and to give a slash back; at most
    /// unbondingPeriod.
    /// @param basePenalty P-32's base penalty in units of 1e-18 token.
    struct Parameters {
        uint64 unbondingPeriod;
        uint64 appealWindow;
        uint128 basePenalty;
    }
}
