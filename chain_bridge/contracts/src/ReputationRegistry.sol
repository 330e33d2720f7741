// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Governed} from "./Governed.sol";
import {IReputationRegistry} from "./IReputationRegistry.sol";
import {Leaf, RoundKey} from "./IRounds.sol";
import {Leaves} from "./Leaves.sol";
import {Penalty} from "./Penalty.sol";
import {Rewards} from "./Rewards.sol";
import {RoundLedger} from "./RoundLedger.sol";

/// @title Who takes part, with which keys, what they have at stake and what they are known for
/// @notice An identity is the hash of a node key and a wallet, so nobody can take another's.
/// A wallet has one identity for ever: who retired or was banned does not come back with it.
/// Slashed stake goes to the rewards pool, after a time in which the owner can give it back.
contract ReputationRegistry is Governed, Pausable, EIP712, IReputationRegistry {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @notice The longest unbonding period that a registry can be deployed with.
    uint64 public constant MAX_PERIOD = 365 days;
    /// @notice A CID of more bytes is refused.
    uint256 public constant MAX_CID = 64;
    /// @notice R of an identity without an anchored reputation: 500 points.
    uint64 public constant INITIAL_REPUTATION = 500e6;
    bytes32 private constant _CONSENT =
        keccak256("Register(bytes32 nodeKey,address wallet,uint256 deadline)");

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
    mapping(bytes32 identity => Identity) private _identities;
    /// @notice The identity that a wallet has or had.
    mapping(address wallet => bytes32 identity) public identityOf;

    modifier onlySlasher() {
        if (msg.sender != slasher) revert ReputationRegistryNotSlasher(msg.sender);
        _;
    }

    modifier onlyWallet(bytes32 identity) {
        if (msg.sender != _identities[identity].wallet) {
            revert ReputationRegistryNotWallet(msg.sender);
        }
        _;
    }

    /// @param token_ What is staked.
    /// @param ledger_ Whose rounds anchor reputation and whose pool receives what is slashed.
    /// @param initialOwner Who decides appeals, may pause and names the slasher.
    /// @param slasher_ Who may slash and ban; the zero address for nobody.
    /// @param parameters What is fixed for good.
    constructor(
        IERC20 token_,
        RoundLedger ledger_,
        address initialOwner,
        address slasher_,
        Parameters memory parameters
    ) Ownable(initialOwner) EIP712("ParityReputationRegistry", "1") {
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

    /// @notice Bind a wallet to a node key. Who calls pays the gas and gets nothing else.
    /// @param nodeKey An Ed25519 public key.
    /// @param wallet The wallet; it never had an identity.
    /// @param deadline When the wallet's consent ends, in seconds since 1970.
    /// @param walletSignature The wallet's EIP-712 signature (ERC-1271 for a contract) over
    /// Register(bytes32 nodeKey,address wallet,uint256 deadline).
    /// @param nodeSignature The node key's Ed25519 signature, 64 bytes, over the same digest.
    /// The chain cannot check it: it goes into the event, and readers check it there.
    /// @return identity identityFor(nodeKey, wallet).
    /// @custom:caller anyone with the wallet's consent
    function register(
        bytes32 nodeKey,
        address wallet,
        uint256 deadline,
        bytes calldata walletSignature,
        bytes calldata nodeSignature
    ) external returns (bytes32 identity) {
        if (nodeKey == 0 || nodeSignature.length != 64) revert ReputationRegistryBadKey();
        if (block.timestamp > deadline) revert ReputationRegistryExpired(deadline);
        if (identityOf[wallet] != 0) revert ReputationRegistryWalletUsed(identityOf[wallet]);
        bytes32 digest = consentDigest(nodeKey, wallet, deadline);
        if (!SignatureChecker.isValidSignatureNowCalldata(wallet, digest, walletSignature)) {
            revert ReputationRegistryBadSignature();
        }
        identity = identityFor(nodeKey, wallet);
        identityOf[wallet] = identity;
        Identity storage self = _identities[identity];
        (self.wallet, self.status, self.nodeKey) = (wallet, Status.Active, nodeKey);
        emit Registered(identity, wallet, nodeKey, nodeSignature);
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

    /// @notice Leave for good; the whole stake begins to unbond.
    /// @param identity The wallet's identity.
    /// @custom:caller wallet of the identity
    function retire(bytes32 identity) external onlyWallet(identity) {
        Identity storage self = _identities[identity];
        _checkLiving(self.status);
        _retire(identity);
        if (self.stake != 0) _unbond(identity, self.stake);
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

    /// @notice Suspend an identity; it may appeal inside the window. Stake is not touched.
    /// @param identity An active one.
    /// @param evidenceCid The CID of the evidence, 1 to 64 bytes.
    /// @custom:caller slasher
    function ban(bytes32 identity, bytes calldata evidenceCid) external onlySlasher {
        _checkCid(evidenceCid);
        Identity storage self = _identities[identity];
        if (self.status != Status.Active) revert ReputationRegistryWrongStatus(self.status);
        self.status = Status.Suspended;
        self.banUntil = uint64(block.timestamp) + appealWindow;
        emit Banned(identity, self.banUntil, evidenceCid);
    }

    /// @notice Ask the owner to lift a ban; the owner then has one window to decide.
    /// @param identity The wallet's identity.
    /// @param statementCid The CID of the statement, 1 to 64 bytes.
    /// @custom:caller wallet of the identity
    function appeal(bytes32 identity, bytes calldata statementCid) external onlyWallet(identity) {
        _checkCid(statementCid);
        Identity storage self = _identities[identity];
        if (self.status != Status.Suspended) revert ReputationRegistryWrongStatus(self.status);
        if (block.timestamp >= self.banUntil) revert ReputationRegistryTooLate(self.banUntil);
        self.status = Status.Appealed;
        self.banUntil = uint64(block.timestamp) + appealWindow;
        emit Appealed(identity, self.banUntil, statementCid);
    }

    /// @notice Decide about a banned identity while its ban is not final.
    /// @param identity One that is suspended or has appealed.
    /// @param lift Whether the ban ends; if not, an identity that appealed is retired.
    /// @custom:caller owner
    function decideBan(bytes32 identity, bool lift) external onlyOwner {
        Status status = _identities[identity].status;
        bool open = status == Status.Appealed || (status == Status.Suspended && lift);
        if (!open) revert ReputationRegistryWrongStatus(status);
        if (lift) _lift(identity);
        else _retire(identity);
    }

    /// @notice Close a ban whose window has passed: without an appeal the identity is
    /// retired; an appeal that nobody decided lifts the ban.
    /// @param identity One that is suspended or has appealed.
    /// @custom:caller anyone
    function closeBan(bytes32 identity) external {
        Identity storage self = _identities[identity];
        Status status = self.status;
        if (status != Status.Suspended && status != Status.Appealed) {
            revert ReputationRegistryWrongStatus(status);
        }
        if (block.timestamp < self.banUntil) revert ReputationRegistryTooEarly(self.banUntil);
        if (status == Status.Appealed) _lift(identity);
        else _retire(identity);
    }

    /// @notice Take over an identity's reputation from a round that counts.
    /// @param round An active round, newer than the one taken before.
    /// @param leaf The identity's leaf.
    /// @param proof The leaf's siblings up to the round's root.
    /// @custom:caller anyone
    function anchor(RoundKey calldata round, Leaf calldata leaf, bytes32[] calldata proof)
        external
    {
        Identity storage self = _identities[leaf.identity];
        if (self.status == Status.None) revert ReputationRegistryWrongStatus(Status.None);
        if (round.round <= self.anchoredRound) {
            revert ReputationRegistryOldRound(self.anchoredRound);
        }
        bool right = leaf.reputation <= Penalty.REPUTATION_MAX
            && ledger.isActive(round, Leaves.rootOf(leaf, proof));
        if (!right) revert ReputationRegistryBadProof();
        (self.anchoredRound, self.reputation) = (round.round, uint64(leaf.reputation));
        emit ReputationAnchored(leaf.identity, round.round, leaf.reputation);
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

    /// @notice The identity that a node key and a wallet make.
    /// @param nodeKey An Ed25519 public key.
    /// @param wallet The wallet.
    function identityFor(bytes32 nodeKey, address wallet) public pure returns (bytes32) {
        return keccak256(abi.encode(nodeKey, wallet));
    }

    /// @notice What wallet and node key sign to be bound to each other (EIP-712).
    /// @param nodeKey An Ed25519 public key.
    /// @param wallet The wallet.
    /// @param deadline When the consent ends, in seconds since 1970.
    function consentDigest(bytes32 nodeKey, address wallet, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(_CONSENT, nodeKey, wallet, deadline)));
    }

    function _setSlasher(address slasher_) private {
        emit SlasherChanged(slasher, slasher_);
        slasher = slasher_;
    }

    function _unbond(bytes32 identity, uint128 amount) private {
        Identity storage self = _identities[identity];
        self.stake -= amount;
        self.unbonding += amount;
        self.releaseAt = uint64(block.timestamp) + unbondingPeriod;
        emit UnbondingStarted(identity, amount, self.releaseAt);
    }

    function _lift(bytes32 identity) private {
        _identities[identity].status = Status.Active;
        emit BanLifted(identity);
    }

    function _retire(bytes32 identity) private {
        _identities[identity].status = Status.Retired;
        emit Retired(identity);
    }

    function _checkLiving(Status status) private pure {
        if (status == Status.None || status == Status.Retired) {
            revert ReputationRegistryWrongStatus(status);
        }
    }

    function _checkCid(bytes calldata cid) private pure {
        if (cid.length == 0 || cid.length > MAX_CID) revert ReputationRegistryBadCid(cid.length);
    }
}
