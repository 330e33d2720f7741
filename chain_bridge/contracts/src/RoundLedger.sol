// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Governed} from "./Governed.sol";
import {IRoundLedger} from "./IRoundLedger.sol";
import {IRounds, RoundKey} from "./IRounds.sol";
import {Rewards} from "./Rewards.sol";

/// @title The record of a run's rounds, one transaction and one storage slot a round
/// @notice The publisher records rounds strictly in order; each names the state before it, so
/// a transaction that was signed for another history cannot land. A round's root counts after
/// a delay. Until then anybody can dispute it against a bond, which also holds back every
/// later round, and the owner can disable it. A root that counts once counts for ever.
contract RoundLedger is Governed, IRoundLedger {
    using SafeERC20 for IERC20;

    /// @dev One slot: recording a round reads and writes it once.
    struct Head {
        address publisher;
        uint64 next;
        bool paused;
    }

    /// @dev One slot: a claim reads it once. `disputed` 0 is none; rounds from `quietFrom` on
    /// do not count before `quietUntil`.
    struct Watch {
        uint64 disputed;
        uint64 quietFrom;
        uint64 quietUntil;
    }

    /// @notice The longest delay that a ledger can be deployed with.
    uint64 public constant MAX_DELAY = 30 days;
    /// @notice A CID of more bytes is refused (a CIDv1 of SHA-256 has 36).
    uint256 public constant MAX_CID = 64;
    // The last bit of a stored state says that the round is disabled.
    uint256 private constant _DISABLED = 1;

    /// @notice What bonds and rewards are paid in.
    IERC20 public immutable token;
    /// @notice The pool that this ledger's rounds are paid from.
    Rewards public immutable rewards;
    /// @notice Seconds from a round's record until its root counts.
    uint64 public immutable delay;
    /// @notice What a dispute costs if it is dismissed, in units of 1e-18 token.
    uint256 public immutable disputeBond;

    Head private _head;
    Watch private _watch;
    /// @notice Who opened the dispute that is open now.
    address public challenger;
    mapping(uint64 round => uint256 state) private _states;

    /// @param token_ What bonds and rewards are paid in.
    /// @param initialOwner Who may disable, resolve, pause and name the publisher.
    /// @param publisher_ Who records rounds.
    /// @param delay_ Seconds until a root counts; 0 leaves no time for a dispute.
    /// @param disputeBond_ What a dispute costs if it is dismissed.
    constructor(
        IERC20 token_,
        address initialOwner,
        address publisher_,
        uint64 delay_,
        uint256 disputeBond_
    ) Ownable(initialOwner) {
        if (delay_ > MAX_DELAY) revert RoundLedgerBadDelay(MAX_DELAY);
        if (publisher_ == address(0)) revert RoundLedgerBadPublisher();
        token = token_;
        delay = delay_;
        disputeBond = disputeBond_;
        rewards = new Rewards(token_, initialOwner);
        _head = Head({publisher: publisher_, next: 1, paused: false});
        // Round 0 ties the first round to this chain and this contract.
        _states[0] = _enabled(keccak256(abi.encode(block.chainid, address(this))));
        emit PublisherChanged(address(0), publisher_);
    }

    /// @notice Record the next round.
    /// @param record What the publisher says about it.
    /// @custom:caller publisher
    function recordRound(Record calldata record) external {
        Head memory head = _head;
        if (msg.sender != head.publisher) revert RoundLedgerNotPublisher(msg.sender);
        if (head.paused) revert RoundLedgerPaused();
        if (record.round != head.next) revert RoundLedgerWrongRound(head.next);
        bytes32 previous = stateOf(record.round - 1);
        if (record.previous != previous) revert RoundLedgerWrongPrevious(previous);
        if (record.rewardRoot == 0) revert RoundLedgerBadRoot();
        uint256 funded = rewards.funded();
        if (record.total > funded) revert RoundLedgerUnfunded(record.total - funded);
        _checkCid(record.modelCid);
        _checkCid(record.scoresCid);
        _head.next = head.next + 1;
        uint64 activeAt = uint64(block.timestamp) + delay;
        uint256 state = _state(recordHash(record), record.rewardRoot, activeAt);
        _states[record.round] = state;
        _emitRecorded(record, bytes32(state), activeAt);
    }

    /// @notice Say that a round's record is wrong, before its root counts. No later round
    /// counts while the dispute is open. An open dispute gives way to one of an earlier
    /// round, and its challenger gets the bond back.
    /// @param key The round.
    /// @param root The root of its tree.
    /// @param evidenceCid The CID of what shows it, 1 to 64 bytes.
    /// @custom:caller anyone with the bond
    function dispute(RoundKey calldata key, bytes32 root, bytes calldata evidenceCid) external {
        if (_head.paused) revert RoundLedgerPaused();
        _checkPending(key, root);
        _checkCid(evidenceCid);
        uint64 open = _watch.disputed;
        address before = challenger;
        if (open != 0 && key.round >= open) revert RoundLedgerAlreadyDisputed(open);
        _watch.disputed = key.round;
        challenger = msg.sender;
        emit RoundDisputed(key.round, msg.sender, evidenceCid);
        token.safeTransferFrom(msg.sender, address(this), disputeBond);
        if (open != 0) token.safeTransfer(before, disputeBond);
    }

    /// @notice Decide the open dispute. Upheld: the round never counts and the bond goes back.
    /// Dismissed: the bond goes into the pool. Either way the delay starts again for what
    /// was held back, so that every round can be looked at.
    /// @param round The disputed round; another one reverts.
    /// @param upheld Whether the record is wrong.
    /// @custom:caller owner
    function resolve(uint64 round, bool upheld) external onlyOwner {
        if (round == 0 || _watch.disputed != round) revert RoundLedgerNotDisputed(round);
        if (upheld) _disable(round);
        _close(round, upheld);
    }

    /// @notice Take a round out before its root counts; an open dispute of it is upheld.
    /// @param key The round.
    /// @param root The root of its tree.
    /// @custom:caller owner
    function disable(RoundKey calldata key, bytes32 root) external onlyOwner {
        _checkPending(key, root);
        _disable(key.round);
        if (_watch.disputed == key.round) _close(key.round, true);
    }

    /// @notice Name another publisher; the one before can record nothing from then on.
    /// @param publisher_ Who records rounds.
    /// @custom:caller owner
    function setPublisher(address publisher_) external onlyOwner {
        if (publisher_ == address(0)) revert RoundLedgerBadPublisher();
        address before = _head.publisher;
        _head.publisher = publisher_;
        emit PublisherChanged(before, publisher_);
    }

    /// @notice Stop records and disputes.
    /// @custom:caller owner
    function pause() external onlyOwner {
        _head.paused = true;
        emit Paused(msg.sender);
    }

    /// @notice Allow records and disputes again.
    /// @custom:caller owner
    function unpause() external onlyOwner {
        _head.paused = false;
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IRounds
    function isActive(RoundKey calldata key, bytes32 root) external view returns (bool) {
        return _isEnabled(key, root) && _isDue(key);
    }

    /// @notice Who records rounds.
    function publisher() external view returns (address) {
        return _head.publisher;
    }

    /// @notice The number that the next record must have; the first is 1.
    function nextRound() external view returns (uint64) {
        return _head.next;
    }

    /// @notice Whether records and disputes are stopped.
    function paused() external view returns (bool) {
        return _head.paused;
    }

    /// @notice The round in dispute, 0 for none; rounds from it on do not count meanwhile.
    function disputedRound() external view returns (uint64) {
        return _watch.disputed;
    }

    /// @notice Rounds from `from` on do not count before `until`, because of a dispute.
    function quietPeriod() external view returns (uint64 from, uint64 until) {
        return (_watch.quietFrom, _watch.quietUntil);
    }

    /// @notice Whether a round was taken out.
    /// @param round Its number.
    function isDisabled(uint64 round) external view returns (bool) {
        return _states[round] & _DISABLED != 0;
    }

    /// @notice The hash that the record after this round must name; 0 for no such round.
    /// @param round Its number; 0 gives the hash that ties round 1 to this contract.
    function stateOf(uint64 round) public view returns (bytes32) {
        return bytes32(_states[round] & ~_DISABLED);
    }

    /// @notice The hash of a record's fields but its root and its time, as RoundKey needs it.
    /// @param record A round's record, as its event gave it.
    function recordHash(Record calldata record) public pure returns (bytes32) {
        return keccak256(
            abi.encode(
                record.round,
                record.previous,
                record.modelHash,
                record.total,
                keccak256(record.modelCid),
                keccak256(record.scoresCid)
            )
        );
    }

    function _emitRecorded(Record calldata record, bytes32 state, uint64 activeAt) private {
        emit RoundRecorded(
            record.round,
            state,
            record.previous,
            record.modelHash,
            record.rewardRoot,
            record.total,
            activeAt,
            record.modelCid,
            record.scoresCid
        );
    }

    function _disable(uint64 round) private {
        _states[round] |= _DISABLED;
        emit RoundDisabled(round);
    }

    function _close(uint64 round, bool upheld) private {
        address who = challenger;
        Watch memory watch = _watch;
        bool running = block.timestamp < watch.quietUntil;
        _watch = Watch({
            disputed: 0,
            quietFrom: running && watch.quietFrom < round ? watch.quietFrom : round,
            quietUntil: uint64(block.timestamp) + delay
        });
        challenger = address(0);
        emit DisputeResolved(round, who, upheld);
        if (upheld) {
            token.safeTransfer(who, disputeBond);
        } else {
            token.forceApprove(address(rewards), disputeBond);
            rewards.fund(disputeBond);
        }
    }

    function _checkPending(RoundKey calldata key, bytes32 root) private view {
        if (!_isEnabled(key, root)) revert RoundLedgerUnknownRound(key.round);
        if (_isDue(key)) revert RoundLedgerAlreadyActive(key.round);
    }

    function _isEnabled(RoundKey calldata key, bytes32 root) private view returns (bool) {
        return _states[key.round]
            == _state(key.recordHash, root, key.activeAt);
    }

    function _isDue(RoundKey calldata key) private view returns (bool) {
        if (block.timestamp < key.activeAt) return false;
        Watch memory watch = _watch;
        if (block.timestamp < watch.quietUntil && key.round >= watch.quietFrom) return false;
        return watch.disputed == 0 || key.round < watch.disputed;
    }

    function _checkCid(bytes calldata cid) private pure {
        if (cid.length == 0 || cid.length > MAX_CID) revert RoundLedgerBadCid(cid.length);
    }

    function _state(bytes32 hash, bytes32 root, uint64 activeAt) private pure returns (uint256) {
        return _enabled(keccak256(abi.encode(hash, root, activeAt)));
    }

    function _enabled(bytes32 hash) private pure returns (uint256) {
        return uint256(hash) & ~_DISABLED;
    }
}
