// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Governed} from "./Governed.sol";
import {IReputationRegistry} from "./IReputationRegistry.sol";
import {Penalty} from "./Penalty.sol";
import {Rewards} from "./Rewards.sol";
import {RoundLedger} from "./RoundLedger.sol";

/// @title The money side of the registry: stake, unbonding and slashing
/// @notice Slashed stake goes to the rewards pool, after a time in which the owner can give
/// it back. Neither owner nor slasher can send it anywhere else.
abstract contract Staking is Governed, Pausable, IReputationRegistry {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @notice The longest unbonding period that a registry can be deployed with.
    uint64 public constant MAX_PERIOD = 365 days;
    /// @notice A CID of more bytes is refused.
    uint256 public constant MAX_CID = 64;
    /// @notice R of an identity without an anchored reputation: 500 points.
    uint64 public constant INITIAL_REPUTATION = 500e6;

    /// @notice What is staked.
    IERC20 public immutable token;
    /// @notice Who knows which roots hold.
    RoundLedger public immutable ledger;
    /// @notice Where slashed stake goes.
    Rewards public immutable rewards;
    /// @notice Seconds from unbonding to withdrawal.
    uint64 public immutable unbondingPeriod;
    /// @notice Seconds to appeal, to decide an appeal, and to give a slash back.
    uint64 public immutable appealWindow;
    /// @notice P-32's base penalty, in units of 1e-18 token.
    uint128 public immutable basePenalty;

    /// @notice Who may slash and ban.
    address public slasher;
    Totals private _totals;
    mapping(bytes32 identity => Identity) internal _identities;

    modifier onlySlasher() {
        _checkSlasher();
        _;
    }

    modifier onlyWallet(bytes32 identity) {
        _checkWallet(identity);
        _;
    }

    constructor(
        IERC20 token_,
        RoundLedger ledger_,
        address slasher_,
        Parameters memory parameters
    ) {
        uint64 period = parameters.unbondingPeriod;
        uint64 window = parameters.appealWindow;
        if (period == 0 || period > MAX_PERIOD || window == 0 || window > period) {
            revert ReputationRegistryBadParameter();
        }
        token = token_;
        ledger = ledger_;
        rewards = ledger_.rewards();
        unbondingPeriod = period;
        appealWindow = window;
        basePenalty = parameters.basePenalty;
        _setSlasher(slasher_);
    }

    /// @notice Put tokens at stake for an identity; only its wallet can take them out again.
    /// @param identity One that is registered and not retired.
    /// @param amount At least 1; approve it first.
    /// @custom:caller anyone; the stake is the identity's
    function deposit(bytes32 identity, uint256 amount) external whenNotPaused {
        Identity storage self = _identities[identity];
        _checkLiving(self.status);
        if (amount == 0) revert ReputationRegistryBadAmount();
        uint128 value = amount.toUint128();
        _totals.deposited += value;
        _totals.staked += value;
        self.stake += value;
        emit Deposited(identity, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Begin to take stake out; it can be slashed until it is withdrawn. What is
    /// already unbonding waits for the whole period again.
    /// @param identity The wallet's identity.
    /// @param amount From 1 to all of the stake.
    /// @custom:caller wallet of the identity
    function unbond(bytes32 identity, uint256 amount) external onlyWallet(identity) {
        if (amount == 0 || amount > _identities[identity].stake) {
            revert ReputationRegistryBadAmount();
        }
        _unbond(identity, uint128(amount));
    }

    /// @notice Pay out what has unbonded.
    /// @param identity The wallet's identity.
    /// @custom:caller wallet of the identity
    function withdraw(bytes32 identity) external onlyWallet(identity) whenNotPaused {
        Identity storage self = _identities[identity];
        uint128 amount = self.unbonding;
        if (amount == 0) revert ReputationRegistryBadAmount();
        if (block.timestamp < self.releaseAt) revert ReputationRegistryTooEarly(self.releaseAt);
        self.unbonding = 0;
        _totals.staked -= amount;
        _totals.withdrawn += amount;
        emit Withdrawn(identity, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Take min(stake, base * severity * (1.5 - R / 1000)) from an identity (P-32),
    /// what is unbonding included. It is held for the appeal window, which begins again.
    /// @param identity One that is or was registered.
    /// @param severity 1 to 1,000,000 millionths.
    /// @param evidenceCid The CID of the evidence, 1 to 64 bytes.
    /// @custom:caller slasher
    function slash(bytes32 identity, uint256 severity, bytes calldata evidenceCid)
        external
        onlySlasher
        whenNotPaused
    {
        _checkCid(evidenceCid);
        Identity storage self = _identities[identity];
        uint128 amount = uint128(penalty(identity, severity));
        uint128 fromStake = amount < self.stake ? amount : self.stake;
        self.stake -= fromStake;
        self.unbonding -= amount - fromStake;
        self.held += amount;
        self.heldUntil = uint64(block.timestamp) + appealWindow;
        _totals.staked -= amount;
        _totals.slashed += amount;
        emit Slashed(identity, severity, amount, evidenceCid);
    }

    /// @notice Give back what is held of an identity, inside the appeal window.
    /// @param identity One that was slashed.
    /// @custom:caller owner
    function reverseSlash(bytes32 identity) external onlyOwner {
        Identity storage self = _identities[identity];
        uint128 amount = self.held;
        if (amount == 0) revert ReputationRegistryBadAmount();
        if (block.timestamp >= self.heldUntil) revert ReputationRegistryTooLate(self.heldUntil);
        self.held = 0;
        // A retired identity has no stake to unbond later, so it goes where it can leave from.
        if (self.status == Status.Retired) self.unbonding += amount;
        else self.stake += amount;
        _totals.slashed -= amount;
        _totals.staked += amount;
        emit SlashReversed(identity, amount);
    }

    /// @notice Move what is held of an identity into the rewards pool, after the window.
    /// @param identity One that was slashed.
    /// @custom:caller anyone; the pool is paid
    function settle(bytes32 identity) external whenNotPaused {
        Identity storage self = _identities[identity];
        uint128 amount = self.held;
        if (amount == 0) revert ReputationRegistryBadAmount();
        if (block.timestamp < self.heldUntil) revert ReputationRegistryTooEarly(self.heldUntil);
        self.held = 0;
        emit SlashSettled(identity, amount);
        token.forceApprove(address(rewards), amount);
        rewards.fund(amount);
    }

    /// @notice Name another slasher; the one before can do nothing from then on.
    /// @param slasher_ Who may slash and ban; the zero address for nobody.
    /// @custom:caller owner
    function setSlasher(address slasher_) external onlyOwner {
        _setSlasher(slasher_);
    }

    /// @notice Stop deposits, withdrawals, slashing and settling.
    /// @custom:caller owner
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Allow deposits, withdrawals, slashing and settling again.
    /// @custom:caller owner
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice What is kept of an identity.
    /// @param identity Any; all zero if it is not registered.
    function get(bytes32 identity) external view returns (Identity memory) {
        return _identities[identity];
    }

    /// @notice Sums over all identities.
    function totals() external view returns (Totals memory) {
        return _totals;
    }

    /// @notice An identity's R in millionths of a point, as it counts for a penalty.
    /// @param identity Any.
    function reputationOf(bytes32 identity) public view returns (uint256) {
        Identity storage self = _identities[identity];
        return self.anchoredRound == 0 ? INITIAL_REPUTATION : self.reputation;
    }

    /// @notice What slashing would take now, in units of 1e-18 token (P-32).
    /// @param identity One that is or was registered.
    /// @param severity 1 to 1,000,000 millionths.
    function penalty(bytes32 identity, uint256 severity) public view returns (uint256) {
        if (severity == 0 || severity > Penalty.SEVERITY_ONE) {
            revert ReputationRegistryBadSeverity(severity);
        }
        Identity storage self = _identities[identity];
        if (self.status == Status.None) revert ReputationRegistryWrongStatus(Status.None);
        uint256 exposed = uint256(self.stake) + self.unbonding;
        return Penalty.amount(exposed, basePenalty, severity, reputationOf(identity));
    }

    function _setSlasher(address slasher_) private {
        emit SlasherChanged(slasher, slasher_);
        slasher = slasher_;
    }

    function _unbond(bytes32 identity, uint128 amount) internal {
        Identity storage self = _identities[identity];
        self.stake -= amount;
        self.unbonding += amount;
        self.releaseAt = uint64(block.timestamp) + unbondingPeriod;
        emit UnbondingStarted(identity, amount, self.releaseAt);
    }

    function _checkSlasher() private view {
        if (msg.sender != slasher) revert ReputationRegistryNotSlasher(msg.sender);
    }

    function _checkWallet(bytes32 identity) private view {
        if (msg.sender != _identities[identity].wallet) {
            revert ReputationRegistryNotWallet(msg.sender);
        }
    }

    function _checkLiving(Status status) internal pure {
        if (status == Status.None || status == Status.Retired) {
            revert ReputationRegistryWrongStatus(status);
        }
    }

    function _checkCid(bytes calldata cid) internal pure {
        if (cid.length == 0 || cid.length > MAX_CID) revert ReputationRegistryBadCid(cid.length);
    }
}
