// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Governed} from "./Governed.sol";
import {IRounds, Leaf, RoundKey} from "./IRounds.sol";
import {Leaves} from "./Leaves.sol";

/// @title The pool that rewards are paid from
/// @notice A leaf holds all that an identity earned so far, so one claim pays every round up
/// to the one it names, and an older leaf pays nothing twice. What was put in can leave only
/// by claims: neither the owner nor the publisher can withdraw it.
contract Rewards is Governed {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    error RewardsPaused();
    error RewardsNotGranted(uint64 round);
    error RewardsNothingToClaim(uint256 alreadyClaimed);
    error RewardsUnfunded(uint256 missing);

    event Funded(address indexed from, uint256 amount, uint256 funded);
    event Claimed(
        bytes32 indexed identity, address indexed account, uint64 round, uint256 amount
    );
    event Paused(address account);
    event Unpaused(address account);

    /// @dev One slot: a claim reads and writes it once.
    struct Totals {
        uint120 funded;
        uint120 claimed;
        bool paused;
    }

    /// @notice What rewards are paid in.
    IERC20 public immutable token;
    /// @notice Who knows which roots hold.
    IRounds public immutable ledger;

    Totals private _totals;
    /// @notice What an identity was paid so far, in units of 1e-18 token.
    mapping(bytes32 identity => uint256 amount) public claimed;

    /// @dev Deployed by RoundLedger's constructor, so that each knows the other for good.
    /// @param token_ What rewards are paid in.
    /// @param initialOwner Who may pause claims.
    constructor(IERC20 token_, address initialOwner) Ownable(initialOwner) {
        token = token_;
        ledger = IRounds(msg.sender);
    }

    /// @notice Put tokens into the pool; they can leave it only by claims.
    /// @param amount How many, in units of 1e-18 token; approve them first.
    /// @custom:caller anyone
    function fund(uint256 amount) external {
        if (_totals.paused) revert RewardsPaused();
        uint120 total = (_totals.funded + amount).toUint120();
        _totals.funded = total;
        emit Funded(msg.sender, amount, total);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Pay an identity all that a round's leaf grants and that it did not get before.
    /// @param round An active round.
    /// @param leaf The identity's leaf; its account is paid, whoever calls.
    /// @param proof The leaf's siblings up to the round's root.
    /// @custom:caller anyone; the leaf's account is paid
    function claim(RoundKey calldata round, Leaf calldata leaf, bytes32[] calldata proof)
        external
    {
        Totals memory totals = _totals;
        if (totals.paused) revert RewardsPaused();
        if (!ledger.isActive(round, Leaves.rootOf(leaf, proof))) {
            revert RewardsNotGranted(round.round);
        }
        uint256 before = claimed[leaf.identity];
        if (leaf.cumulative <= before) revert RewardsNothingToClaim(before);
        uint256 amount = leaf.cumulative - before;
        uint256 left = totals.funded - totals.claimed;
        if (amount > left) revert RewardsUnfunded(amount - left);
        claimed[leaf.identity] = leaf.cumulative;
        // amount <= funded - claimed, so the sum is at most funded and fits 120 bits.
        _totals.claimed = totals.claimed + uint120(amount);
        emit Claimed(leaf.identity, leaf.account, round.round, amount);
        token.safeTransfer(leaf.account, amount);
    }

    /// @notice Stop claims and funding.
    /// @custom:caller owner
    function pause() external onlyOwner {
        _totals.paused = true;
        emit Paused(msg.sender);
    }

    /// @notice Allow claims and funding again.
    /// @custom:caller owner
    function unpause() external onlyOwner {
        _totals.paused = false;
        emit Unpaused(msg.sender);
    }

    /// @notice All that was ever put in, in units of 1e-18 token.
    function funded() external view returns (uint256) {
        return _totals.funded;
    }

    /// @notice All that was ever paid, in units of 1e-18 token; at most funded().
    function totalClaimed() external view returns (uint256) {
        return _totals.claimed;
    }

    /// @notice Whether claims and funding are stopped.
    function paused() external view returns (bool) {
        return _totals.paused;
    }
}
